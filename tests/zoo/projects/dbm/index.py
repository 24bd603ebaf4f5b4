import dbm

with dbm.open("words", "c") as index, open("data/words.txt") as words:
    for number, word in enumerate(words):
        index[word.strip()] = str(number)
