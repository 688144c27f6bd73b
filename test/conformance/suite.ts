import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Revisions that the suite knows. It has nothing for 2024-11-05. */
export const REVISIONS = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'] as const
export type Revision = (typeof REVISIONS)[number]

/** What the suite says about one requirement. */
export interface Check {
  readonly scenario: string
  readonly id: string
  readonly name: string
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO'
  readonly errorMessage?: string
}

export interface SuiteOptions {
  /** Added to every request to `origin`. */
  readonly token?: { readonly origin: string; readonly value: string }
  /** Hears of each line that the suite prints. */
  readonly onLine?: (line: string) => void
}

const program = findProgram()
const preloads = {
  token: pathToFileURL(fileURLToPath(new URL('./inject-token.ts', import.meta.url))).href,
  loopback: new URL('../support/keep-on-loopback.ts', import.meta.url).href,
}

/** The suite's `exports` name no file, so its folder is found from the program that npm links. */
function findProgram(): string {
  const folder = dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json'))
  return join(folder, 'dist', 'index.js')
}

/** Runs every server scenario of a revision against an MCP server. */
export function runServerScenarios(url: string, revision: Revision, options: SuiteOptions = {}): Promise<Check[]> {
  return runSuite(['server', '--url', url, '--suite', 'all', '--spec-version', revision], options)
}

/**
 * Runs the suite's command line and reads what it writes for each scenario.
 *
 * @throws Error with the suite's output when it wrote nothing
 */
export async function runSuite(parameters: readonly string[], { token, onLine }: SuiteOptions = {}): Promise<Check[]> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'))
  try {
    const output = await run([...parameters, '-o', folder], token, onLine)
    const checks = await readChecks(folder)
    if (checks.length === 0) throw new Error(`the conformance suite checked nothing:\n${output}`)
    return checks
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The exit code says only whether something failed: the checks say what, so the code is not looked at. */
async function run(
  parameters: readonly string[],
  token: SuiteOptions['token'],
  onLine?: (line: string) => void,
): Promise<string> {
  const imports = ['--import', preloads.loopback, ...(token ? ['--import', preloads.token] : [])]
  const child = spawn(process.execPath, [...imports, program, ...parameters], {
    env: { ...process.env, NODE_OPTIONS: '', ...(token && formatTokenEnvironment(token)) },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  const collect = (line: string) => {
    output += `${line}\n`
    onLine?.(line)
  }
  createInterface(child.stdout as NodeJS.ReadableStream).on('line', collect)
  createInterface(child.stderr as NodeJS.ReadableStream).on('line', collect)
  await new Promise<void>((resolve, reject) => child.once('error', reject).once('close', () => resolve()))
  return output
}

function formatTokenEnvironment({ origin, value }: NonNullable<SuiteOptions['token']>) {
  return {
    CONFORMANCE_TOKEN: value,
    CONFORMANCE_ORIGIN: origin,
    CONFORMANCE_UNDICI: createRequire(program).resolve('undici'),
  }
}

async function readChecks(folder: string): Promise<Check[]> {
  const checks: Check[] = []
  for (const entry of (await readdir(folder)).sort()) {
    const scenario = entry.replace(/-\d{4}-\d{2}-\d{2}T.*$/, '')
    const text = await readFile(join(folder, entry, 'checks.json'), 'utf8')
    for (const check of JSON.parse(text) as Omit<Check, 'scenario'>[]) checks.push({ ...check, scenario })
  }
  return checks
}

/** A check and how it came out, without what differs from run to run. */
export function formatCheck({ scenario, id, name, status }: Check): string {
  return `${scenario} › ${id} › ${name} › ${status}`
}

/** How often each check came out how: what must be the same with and without the proxy. */
export function countChecks(checks: readonly Check[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const check of checks) {
    const key = formatCheck(check)
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

/** The checks that were not passed: neither a success nor a mere note. */
export function findUnpassed(checks: readonly Check[]): Check[] {
  return checks.filter(({ status }) => status !== 'SUCCESS' && status !== 'INFO')
}
