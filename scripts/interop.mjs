// Brings what the interoperability tests need and npm's lock file does not hold: two generations of Python MCP servers, each in a
// virtual environment of its own, and the MCP Inspector. All of it in .cache/interop. Does nothing where it has been done before.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const home = join(root, '.cache', 'interop')
const isWindows = process.platform === 'win32'

bring('python', read('requirements.txt'), (folder) => createEnvironment(folder, 'requirements.txt'))
bring('python-v1', read('requirements-v1.txt'), (folder) => createEnvironment(folder, 'requirements-v1.txt'))
bring('inspector', '@modelcontextprotocol/inspector@2.12.0', installPackage)

function read(name) {
  return readFileSync(join(root, 'test', 'interop', 'python', name), 'utf8')
}

/** Makes a folder anew unless it was made from the same things; the stamp comes last, so that half a folder is no folder. */
function bring(name, content, make) {
  const folder = join(home, name)
  const stamp = join(folder, '.stamp')
  const wanted = createHash('sha256').update(content).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  process.stderr.write(`Bringing ${name} for the interoperability tests …\n`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  make(folder, content)
  writeFileSync(stamp, wanted)
}

function createEnvironment(folder, requirements) {
  run(isWindows ? 'python' : 'python3', ['-m', 'venv', folder])
  const python = join(folder, isWindows ? 'Scripts' : 'bin', 'python')
  const list = join(root, 'test', 'interop', 'python', requirements)
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', list])
}

function installPackage(folder, name) {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  run(isWindows ? 'npm.cmd' : 'npm', ['install', ...flags, name], { cwd: folder, shell: isWindows })
}

function run(command, parameters, options = {}) {
  const { status, error } = spawnSync(command, parameters, { stdio: ['ignore', 2, 2], ...options })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}
