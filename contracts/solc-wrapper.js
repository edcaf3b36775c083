const fs = require("node:fs");
const solc = require("solc");

// writeSync: an asynchronous write to a pipe is cut off at exit.
function print(text) {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(1, rest));
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

if (process.argv.includes("--version")) {
  print(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (process.argv.includes("--standard-json")) {
  print(solc.compile(fs.readFileSync(0, "utf8")));
} else {
  process.stderr.write("solc-wrapper: only --version and --standard-json are supported\n");
  process.exitCode = 1;
}
