#!/usr/bin/env node
// The command of the package. Old Nodes must be able to read this file, as they must `src/cli/main.ts`, which tells them what they lack.
// In a checkout there is nothing built: the sources are run, with what they need installed first (`npx .`).
const { spawn, spawnSync } = require('child_process')
const { existsSync } = require('fs')
const { join } = require('path')

const root = join(__dirname, '..')
const source = join(root, 'src', 'cli', 'main.ts')
if (existsSync(source)) runSource()
// One of a few files that hold all of it, which start in half the time; `dist/cli/main.js` does the same.
else void import('../dist/command/main.js')

function runSource() {
  const setup = spawnSync(process.execPath, [join(root, 'scripts', 'setup.mjs')], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (setup.status !== 0) process.exit(setup.status === null ? 1 : setup.status)
  // Not the script of npm's `node` package: it would not pass signals on.
  const node = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  const child = spawn(node, [source].concat(process.argv.slice(2)), { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`error ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code) => process.exit(code === null ? 1 : code))
}
