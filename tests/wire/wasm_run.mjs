// Runs tests/wire/wire_checks.py on the 32-bit MicroPython of the npm package.
// node wasm_run.mjs PACKAGE_FOLDER FIRMWARE_FOLDER CHECKS.py VECTORS.json NOISE CHECK...
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [packageFolder, firmware, checks, vectors, noise, ...names] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(join(packageFolder, "micropython.mjs")).href);
const box = await loadMicroPython({ heapsize: 16 * 1024 * 1024, linebuffer: true, stdout: (line) => console.log(line) });

box.FS.mkdir("/rig");
box.FS.mkdir("/rig/hbc_wire");
for (const name of readdirSync(join(firmware, "hbc_wire"))) {
  if (name.endsWith(".py")) box.FS.writeFile(`/rig/hbc_wire/${name}`, readFileSync(join(firmware, "hbc_wire", name)));
}
box.FS.writeFile("/rig/wire_checks.py", readFileSync(checks));
box.FS.writeFile("/rig/vectors.json", readFileSync(vectors));
box.FS.writeFile("/rig/noise", readFileSync(noise));
try {
  box.runPython("import sys; sys.path.insert(0, '/rig'); print(sys.implementation.name, sys.maxsize)");
  for (const name of names) {
    box.runPython(`import wire_checks; wire_checks.main("/rig/vectors.json", "/rig/noise", ["${name}"])`);
  }
} catch (error) {
  console.log(error.message); // uncaught, node would print the whole interpreter with it
  process.exit(1);
}
