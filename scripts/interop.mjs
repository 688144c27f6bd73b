// Brings what the interoperability tests need and npm's lock file does not hold: two generations of Python MCP servers, each in a
// virtual environment of its own, django-oauth-toolkit, Valkey, Helm and the schemas of Kubernetes, the MCP Inspector, MCP clients that people use, programs with the MCP libraries
// of Go, an OpenTelemetry collector, what reads Grafana's dashboards, Nodes that are too old, Keycloak, and the libraries of a Spring Boot application. All of it in .cache/interop. Does nothing where it has been done before.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const home = join(root, '.cache', 'interop')
const isWindows = process.platform === 'win32'

/** A release of Keycloak that Java 17 runs, with its database in memory. */
const KEYCLOAK = {
  artifact: 'org.keycloak:keycloak-quarkus-dist:26.7.3:tar.gz',
  file: 'keycloak-quarkus-dist-26.7.3.tar.gz',
  sha512:
    '664c8ac2997d94b69825af70acc3a6017a7a53a1504a6e21b2d82a04e5f53593b30cabdf80ffe3eb661f13442a57fbc15c4186a1899f2841e8145532e5ae7e1c',
  build: ['--db=dev-mem'],
}

/** What renders and checks the chart of `deploy/helm`. */
const HELM = 'helm.sh/helm/v3/cmd/helm@v3.19.0'

const tests = join(root, 'test', 'interop')

bringPython('python', 'python/requirements.txt')
bringPython('python-v1', 'python/requirements-v1.txt')
bringPython('django', 'django/requirements.txt')
if (!isWindows) bringPython('valkey', 'valkey/requirements.txt')
bring('inspector', '@modelcontextprotocol/inspector@2.12.0', installPackages)
bring('clients', listClients(), installPackages)
bringPython('kubernetes', '../install/requirements.txt')
if (hasGo('clients/go')) {
  bring('go-clients', readAll('clients/go'), buildClients)
  bring('helm', HELM, installHelm)
}
for (const program of ['collector', 'dashboard'])
  if (hasGo(program)) bring(program, readAll(program), (folder) => buildProgram(folder, program))
for (const version of ['16.20.2', '18.20.8', '20.20.2'])
  bring(`node-${version.slice(0, 2)}`, `${nameNode()}@${version}`, installPackages)
if (hasJava()) {
  bring('keycloak', JSON.stringify(KEYCLOAK), installKeycloak)
  bring('spring', read('spring/pom.xml'), installSpring)
}

function read(name) {
  return readFileSync(join(tests, name), 'utf8')
}

/** The clients that come as packages of npm. */
function listClients() {
  const packages = JSON.parse(read('clients/packages.json'))
  return Object.entries(packages)
    .map(([name, version]) => `${name}@${version}`)
    .join(' ')
}

/** All files below a folder, with their names. */
function readAll(folder) {
  const files = readdirSync(join(tests, folder), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const names = files.map(({ parentPath, name }) => join(parentPath, name)).sort()
  return names.map((name) => `${name.slice(tests.length)}\n${readFileSync(name, 'utf8')}`).join('\n')
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

function bringPython(name, requirements) {
  bring(name, read(requirements), (folder) => createEnvironment(folder, requirements))
}

/** @param requirements - file of the packages */
function createEnvironment(folder, requirements) {
  run(isWindows ? 'python' : 'python3', ['-m', 'venv', folder])
  const python = join(folder, isWindows ? 'Scripts' : 'bin', 'python')
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', join(tests, requirements)])
}

/** @param names - packages of npm with their versions, a space between them */
function installPackages(folder, names) {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  run(isWindows ? 'npm.cmd' : 'npm', ['install', ...flags, ...names.split(' ')], { cwd: folder, shell: isWindows })
}

/** npm's package with the Node of this machine. */
function nameNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform
  return `node-${platform === 'darwin' && process.arch === 'arm64' ? 'bin-' : ''}${platform}-${process.arch}`
}

/** Whether the programs in Go can be built. Asked in their folder, where newer releases of Go bring the one that is wanted. */
function hasGo(sources) {
  const cwd = join(tests, sources)
  const [, wanted] = /^go (1\.\d+)/m.exec(read(`${sources}/go.mod`)) ?? []
  const [, there = '1.0'] = /go(1\.\d+)/.exec(String(spawnSync('go', ['version'], { cwd, encoding: 'utf8' }).stdout)) ?? []
  const isNewEnough = Number(there.slice(2)) >= Number(wanted.slice(2))
  return isNewEnough || doWithout(`the programs in Go (${sources})`, `Go ${wanted} or later`)
}

function buildClients(folder) {
  run('go', ['build', '-o', `${folder}/`, './gosdk', './mcpgo'], { cwd: join(tests, 'clients', 'go') })
}

function buildProgram(folder, sources) {
  run('go', ['build', '-o', `${folder}/`, '.'], { cwd: join(tests, sources) })
}

function installHelm(folder, version) {
  run('go', ['install', '-trimpath', version], { cwd: folder, env: { ...process.env, GOBIN: folder } })
}

/** Whether Keycloak and Spring can be brought and run. */
function hasJava() {
  const missing = isWindows ? ['a shell'] : ['java', 'mvn'].filter((name) => spawnSync(name, ['-version']).status !== 0)
  return missing.length === 0 || doWithout('Keycloak and Spring', missing.join(' and '))
}

/** Under CI nothing may be skipped. */
function doWithout(what, missing) {
  process.stderr.write(`Without ${what}: ${missing} missing.\n`)
  if (process.env.CI) process.exit(1)
  return false
}

/** Copies the libraries of a Spring Boot application. */
function installSpring(folder, pom) {
  writeFileSync(join(folder, 'pom.xml'), pom)
  const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
  run('mvn', ['--batch-mode', '--quiet', copy, '-DoutputDirectory=lib', '-DincludeScope=runtime'], { cwd: folder })
}

/** Unpacks the archive as it was when its digest was written down, and does what would otherwise happen at each start. */
function installKeycloak(folder) {
  const { artifact, file, sha512, build } = KEYCLOAK
  const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'
  run('mvn', ['--batch-mode', '--quiet', copy, `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`], { cwd: folder })
  const archive = join(folder, file)
  const digest = createHash('sha512').update(readFileSync(archive)).digest('hex')
  if (digest !== sha512) throw new Error(`${artifact} is not what it was: its SHA-512 is ${digest}`)
  run('tar', ['-xzf', archive, '--strip-components=1', '-C', folder])
  rmSync(archive)
  // Compiled once and roughly: it runs for seconds.
  run(join(folder, 'bin', 'kc.sh'), ['build', ...build], { env: { ...process.env, JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1' } })
}

function run(command, parameters, options = {}) {
  const { status, error } = spawnSync(command, parameters, { stdio: ['ignore', 2, 2], ...options })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}
