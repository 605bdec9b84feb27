// Runs one script on the 32-bit MicroPython of the npm package, with folders of this computer on its path (the n-th is
// /folderN there).
// node wasm_run.mjs PACKAGE_FOLDER SCRIPT.py FOLDER,FOLDER,... ARGUMENT...
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [packageFolder, script, folders, ...args] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(join(packageFolder, "micropython.mjs")).href);
const box = await loadMicroPython({ heapsize: 32 * 1024 * 1024, linebuffer: true, stdout: (line) => console.log(line) });

function copy(from, to) {
  box.FS.mkdir(to);
  for (const name of readdirSync(from)) {
    if (statSync(join(from, name)).isDirectory()) {
      if (name !== "__pycache__") copy(join(from, name), `${to}/${name}`);
    } else box.FS.writeFile(`${to}/${name}`, readFileSync(join(from, name)));
  }
}

const path = folders.split(",").map((folder, n) => (copy(folder, `/folder${n}`), `/folder${n}`));
try {
  box.runPython(`import sys; sys.path[:0] = ${JSON.stringify(path)}; sys.argv[:] = ${JSON.stringify([script, ...args])}`);
  box.runPython(readFileSync(script, "utf-8"));
} catch (error) {
  console.log(error.message); // uncaught, node would print the whole interpreter with it
  process.exit(1);
}
