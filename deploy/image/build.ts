// Builds the container image without a container engine, as an OCI layout and as a root file system: the C library and jemalloc of Debian, the Node of
// npm's `node` package, and the packed package with what it needs. The same sources and packages make the same bytes.
//   node deploy/image/build.ts FOLDER
// Needs Debian or Ubuntu (apt-get, dpkg-deb), GNU tar and gzip. `tar -C FOLDER/oci -c . | docker load` brings the image into an engine.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { IMAGE } from './image-config.ts'
import { createLayer, type Layer, writeLayout } from './oci-layout.ts'

const root = resolve(import.meta.dirname, '../..')
const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('name a folder: node deploy/image/build.ts FOLDER')
const out = resolve(folder)

/** What Node is linked against, and the allocator that takes the place of the C library's. */
const LIBRARIES = ['libc6', 'libgcc-s1', 'libjemalloc2', 'libstdc++6']

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

process.umask(0o022)
rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? run('git', ['log', '-1', '--format=%ct'], root))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const layers: Layer[] = [layer('system', stageSystem, [IMAGE.state]), layer('node', stageNode), layer('app', stageApp)]
const digest = writeLayout(join(out, 'oci'), layers, {
  created: new Date(epoch * 1000).toISOString(),
  architecture: ARCHITECTURES[process.arch] ?? process.arch,
  version,
  image: IMAGE,
})
for (const { name, size } of layers) console.log(`${name}: ${(size / 2 ** 20).toFixed(1)} MiB`)
console.log(`image: sha256:${digest}`)

/** Stages a layer, packs it, and lays it into the root file system. */
function layer(name: string, stage: (target: string) => void, owned: readonly string[] = []): Layer {
  const target = join(out, 'stage', name)
  mkdirSync(target, { recursive: true })
  stage(target)
  cpSync(target, join(out, 'rootfs'), { recursive: true, verbatimSymlinks: true, force: true })
  return createLayer(name, target, { to: join(out, 'layers'), epoch, owner: IMAGE.user, owned })
}

function stageSystem(target: string): void {
  extractPackages(target, LIBRARIES)
  // GCC's libraries have their licence in a package that is named after its version.
  extractPackages(target, [readlinkSync(join(target, 'usr/share/doc/libgcc-s1'))])
  dropUnused(target)
  const write = (path: string, text: string): void => {
    mkdirSync(join(target, path, '..'), { recursive: true })
    writeFileSync(join(target, path), text)
  }
  write('etc/passwd', `root:x:0:0:root:/:/nonexistent\nproxy:x:${IMAGE.user}:${IMAGE.user}:proxy:/:/nonexistent\n`)
  write('etc/group', `root:x:0:\nproxy:x:${IMAGE.user}:\n`)
  write('etc/nsswitch.conf', 'hosts: files dns\n')
  for (const path of [IMAGE.state, '/etc/open-mcp-auth-proxy', '/tmp', '/proc', '/dev'])
    mkdirSync(join(target, path), { recursive: true })
  chmodSync(join(target, 'tmp'), 0o1777)
  chmodSync(join(target, IMAGE.state), 0o700)
}

function extractPackages(target: string, names: readonly string[]): void {
  const packages = mkdtempSync(join(out, 'packages-'))
  // By its own name for the download: apt drops root's rights for it otherwise, and cannot write here.
  run('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', ...names], packages)
  for (const file of readdirSync(packages).sort()) run('dpkg-deb', ['--extract', join(packages, file), target], out)
}

/** Character sets other than UTF-8, and what records calls of libraries. The licences stay. */
function dropUnused(target: string): void {
  for (const path of ['lib', 'usr/lib'].map((name) => join(target, name)).filter((path) => existsSync(path)))
    for (const entry of readdirSync(path, { recursive: true, encoding: 'utf8' }))
      if (/(?:^|\/)(?:gconv|audit)$/.test(entry)) rmSync(join(path, entry), { recursive: true })
  for (const path of ['usr/share/lintian', 'usr/share/gdb', 'usr/share/gcc'])
    rmSync(join(target, path), { recursive: true, force: true })
}

function stageNode(target: string): void {
  const source = join(root, 'node_modules/node')
  mkdirSync(join(target, 'usr/bin'), { recursive: true })
  cpSync(join(source, 'bin/node'), join(target, 'usr/bin/node'))
  chmodSync(join(target, 'usr/bin/node'), 0o755)
}

function stageApp(target: string): void {
  const packed = join(out, 'packed')
  mkdirSync(packed)
  run('npm', ['pack', '--silent', '--pack-destination', packed], root)
  const [tarball = ''] = readdirSync(packed)
  const app = join(target, 'app')
  mkdirSync(app, { recursive: true })
  run('tar', ['-xzf', join(packed, tarball), '--strip-components=1', '--no-same-owner', '-C', app], out)
  cpSync(join(root, 'package-lock.json'), join(app, 'package-lock.json'))
  run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], app)
  cpSync(join(root, 'deploy/image/healthcheck.mjs'), join(app, 'healthcheck.mjs'))
  dropTypes(join(app, 'node_modules'))
}

/** What only compilers and debuggers read. */
function dropTypes(modules: string): void {
  for (const entry of readdirSync(modules, { recursive: true, encoding: 'utf8' })) {
    const path = join(modules, entry)
    if (/\.(?:d\.[cm]?ts|map)$|(?:^|\/)\.package-lock\.json$/.test(entry) && statSync(path).isFile()) rmSync(path)
  }
}

function run(program: string, args: readonly string[], cwd: string): string {
  return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 26 })
}
