// Opens a page in Chromium: reads the browser's path and the page's address as arguments, writes what
// is wrong with it at two widths and in two themes as JSON. Screenshots go to the third, a directory.
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, address, place] = process.argv.slice(2);
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"];
args.push("--disable-component-update", "--disable-sync", "--no-first-run");
const browser = await chromium.launch({ executablePath, args });
const found = [];
for (const width of [375, 1100]) {
  for (const colorScheme of ["light", "dark"]) {
    for (const bypassCSP of [false, true]) {
      const view = { viewport: { width, height: 800 }, colorScheme, bypassCSP };
      const page = await browser.newPage(view);
      const told = { width, colorScheme, said: [], asked: [], axe: [] };
      page.on("console", (message) => told.said.push(message.text()));
      page.on("pageerror", (error) => told.said.push(String(error)));
      page.on("request", (one) => told.asked.push(one.url()));
      await page.goto(address);
      told.overflow = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
      told.pictures = await page.evaluate(() =>
        [...document.querySelectorAll("figure img, figure svg")].map((one) => {
          const box = one.getBoundingClientRect();
          return box.width * box.height;
        }),
      );
      if (bypassCSP) {
        await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
        await page.addScriptTag({ path: axe });
        const { violations } = await page.evaluate(() => axe.run());
        told.axe = violations.map((v) => `${v.impact}: ${v.id}: ${v.nodes[0].html}`);
      } else if (place) {
        await page.screenshot({ path: `${place}/${colorScheme}-${width}.png`, fullPage: true });
      }
      await page.close();
      found.push(told);
    }
  }
}
await browser.close();
process.stdout.write(JSON.stringify(found));
