// GitHub's own client of its artifacts, as actions/upload-artifact and /download-artifact call it.
import { appendFileSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DefaultArtifactClient } from "@actions/artifact";
import { minimatch } from "minimatch";

const input = (name) => (process.env[`INPUT_${name.toUpperCase()}`] ?? "").trim();
const client = new DefaultArtifactClient();

async function upload() {
  const path = resolve(input("path"));
  if (input("overwrite") === "true") {
    await client.deleteArtifact(input("name")).catch(() => {});
  }
  const files = statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => resolve(entry.parentPath ?? entry.path, entry.name))
    : [path];
  const top = files[0] === path ? dirname(path) : path;
  const { id } = await client.uploadArtifact(input("name"), files, top);
  appendFileSync(process.env.GITHUB_OUTPUT, `artifact-id=${id}\n`);
}

// act has one run for all: that of another run is where this one's are. Of those that fit a pattern
// each has a directory of its own.
async function download() {
  const { artifacts } = await client.listArtifacts({ latest: true });
  for (const { id, name } of artifacts.filter(({ name }) => minimatch(name, input("pattern")))) {
    const path = resolve(input("path"), name);
    mkdirSync(path, { recursive: true });
    await client.downloadArtifact(id, { path });
  }
}

export async function run(what) {
  try {
    await { upload, download }[what]();
  } catch (error) {
    process.stdout.write(`::error::${error.message}\n`);
    process.exit(1);
  }
  process.exit(0);
}
