const fs = require("fs");
const path = require("path");
const { config } = require("./package.json");
const scale = require("./lib/scale");

fs.mkdirSync("build", { recursive: true });
const rows = [1, 2, 3, 4].slice(0, config.limit).map(scale);
fs.writeFileSync(path.join("build", "features.json"), JSON.stringify(rows));
