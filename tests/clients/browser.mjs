// Tells the story in a page of a real browser, from the edge's own origin.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const { executable, ...given } = JSON.parse(await text(process.stdin));
const profile = await mkdtemp(join(tmpdir(), "parley-browser-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: executable,
  headless: true,
  args: FLAGS,
  bypassCSP: true, // the page's policy lets in no script of a test
});
try {
  const page = await context.newPage();
  await page.goto(`${given.edge_url}/`);
  await page.addScriptTag({ path: "node_modules/socket.io-client/dist/socket.io.min.js" });
  await page.addScriptTag({ path: "story.js" });
  const told = await page.evaluate((given) => globalThis.tellStory(globalThis.io, given), given);
  console.log(JSON.stringify({ ...told, origin: await page.evaluate(() => location.origin) }));
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true });
}
