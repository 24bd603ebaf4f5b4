// What actions/cache/restore and /save do, with GitHub's own client of the cache; for act, which
// cannot fetch the actions themselves here. The first argument says which of the two.
import * as cache from "@actions/cache";

const input = (name) => (process.env[`INPUT_${name.toUpperCase()}`] ?? "").trim();
const lines = (name) => input(name).split("\n").map((line) => line.trim()).filter(Boolean);

export async function run(what) {
  try {
    if (what === "restore") {
      const found = await cache.restoreCache(lines("path"), input("key"), lines("restore-keys"));
      console.log(found ? `Cache restored from key: ${found}` : "Cache not found");
    } else {
      const id = await cache.saveCache(lines("path"), input("key"));
      console.log(`Cache saved with key: ${input("key")} (${id})`);
    }
  } catch (error) {
    console.log(`::warning::${error.message}`);
  }
}
