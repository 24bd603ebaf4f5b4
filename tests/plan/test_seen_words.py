"""Each kind of discovered input is said with its rule."""

import pytest

from mlpipe_ci.core.cache_key import Input
from mlpipe_ci.plan.seen_words import seen_in_words


@pytest.mark.parametrize(
    ("path", "digest", "label", "words"),
    [
        ("a.py", "git:0123456789abcdef", "seen", "a.py  content git:0123456789ab"),
        ("a.py", "absent", "seen", "a.py  is not there"),
        ("data", "exists:directory", "seen", "data  is there: a directory"),
        ("link", "link:../x", "seen", "link  a link to ../x"),
        ("./", "names:a/b", "seen", "./  the names in it: a, b"),
        ("d/", f"names:1500:{'1' * 64}", "seen", "d/  the names in it: 1500 of them, 111111111111"),
        ("./", "modules:a.py|a b", "seen", "./  searched by Python; what could be meant: a.py"),
        ("./", "modules:|a b", "seen", "./  searched by Python; what could be meant: none"),
        ("run.log", "log", "seen", "run.log  only added to, and read by no step"),
        ("/~/x.csv", "blake3:00", "seen", "~/x.csv  content blake3:00"),
        ("program:tr", "system", "seen", "tr  the program that PATH finds: system"),
        ("env:LR", "value:00", "seen", "$LR  value 00, named in train.py"),
        ("env:TZ", "absent", "seen", "$TZ  is not set"),
        ("env:", "set:python|A B C", "seen", "3 environment variables were set"),
        ("dist:python:numpy", "version:2.1 0a1", "seen", "python:numpy  package 2.1, files 0a1"),
        ("dist:python:own", "files:0a1", "seen", "python:own  package: files:0a1"),
        (
            *("dist:python:?", "found:PIL/x.pth|PIL os", "seen"),
            "the packages of python  searched by Python; found: PIL, x.pth",
        ),
        ("platform:", "linux x86_64", "seen", "the platform  linux x86_64"),
        ("/~/.cache/pip", "ignored:downloads", "ignored", "~/.cache/pip  downloads"),
    ],
)
def test_each_kind(path: str, digest: str, label: str, words: str) -> None:
    found = seen_in_words(Input(path=path, digest=digest), {"LR": "train.py", "TZ": ""}.__getitem__)
    assert found[0] == label
    assert found[1].startswith(words)


def test_an_executable() -> None:
    found = seen_in_words(Input(path="a.sh", digest="git:00", executable=True), str)
    assert found == ("seen", "a.sh  content git:00  executable")
