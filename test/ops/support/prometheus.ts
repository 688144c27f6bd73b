import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { waitUntil } from '../../support/processes.ts'
import { findFreePort } from '../../support/proxy.ts'

/** A series, and its value now. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Exemplar {
  readonly labels: Readonly<Record<string, string>>
  readonly value: string
}

export interface Rule {
  readonly name: string
  readonly health: string
  readonly lastError?: string
}

/** A real Prometheus that scrapes one proxy. */
export interface Prometheus {
  /** @throws Error with what Prometheus says about the expression */
  query(expression: string): Promise<readonly Series[]>
  findExemplars(expression: string): Promise<readonly Exemplar[]>
  listRules(): Promise<readonly Rule[]>
  /** Waits until it has scraped a few times more. */
  awaitScrapes(): Promise<void>
  close(): Promise<void>
}

const SCRAPE_MS = 500

/** The folder of what is given to operators. */
export const DEPLOY = fileURLToPath(new URL('../../../deploy/', import.meta.url))

/**
 * Starts Prometheus with the alerts of `deploy/`.
 *
 * @param target - host and port of an admin listener
 */
export async function startPrometheus(target: string): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'))
  const file = join(folder, 'prometheus.json')
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(createConfig(target)))
  const origin = `127.0.0.1:${await findFreePort()}`
  const flags = ['--enable-feature=exemplar-storage', '--log.level=warn', `--web.listen-address=${origin}`]
  const child = spawn('prometheus', [`--config.file=${file}`, `--storage.tsdb.path=${folder}/data`, ...flags], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const isReady = async () => (await fetch(`http://${origin}/-/ready`).catch(() => undefined))?.status === 200
  await waitUntil(isReady, 'Prometheus is ready', 30_000)
  const ask = createAsk(`http://${origin}/api/v1`)
  return {
    query: async (expression) => readSeries(await ask('query', { query: expression })),
    findExemplars: async (expression) => readExemplars(await ask('query_exemplars', createSpan(expression))),
    listRules: async () => readRules(await ask('rules', {})),
    awaitScrapes: () => awaitScrapes(async () => readSeries(await ask('query', { query: 'timestamp(up)' }))),
    async close() {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function createConfig(target: string): object {
  return {
    global: { scrape_interval: `${SCRAPE_MS}ms`, scrape_timeout: `${SCRAPE_MS}ms`, evaluation_interval: '1s' },
    rule_files: [join(DEPLOY, 'prometheus/alerts.yaml')],
    scrape_configs: [{ job_name: 'mcp-auth-proxy', static_configs: [{ targets: [target] }] }],
  }
}

type Ask = (path: string, parameters: Readonly<Record<string, string>>) => Promise<unknown>

function createAsk(api: string): Ask {
  return async (path, parameters) => {
    const response = await fetch(`${api}/${path}`, { method: path === 'rules' ? 'GET' : 'POST', ...createBody(path, parameters) })
    const { status, data, error } = (await response.json()) as { status: string; data: unknown; error?: string }
    if (status !== 'success') throw new Error(`${error}: ${JSON.stringify(parameters)}`)
    return data
  }
}

function createBody(path: string, parameters: Readonly<Record<string, string>>): RequestInit {
  return path === 'rules' ? {} : { body: new URLSearchParams(parameters) }
}

function createSpan(expression: string): Record<string, string> {
  const now = Date.now() / 1000
  return { query: expression, start: String(now - 300), end: String(now + 5) }
}

function readSeries(data: unknown): Series[] {
  const { result } = data as { result: readonly { metric: Record<string, string>; value: readonly [number, string] }[] }
  return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1].replace('Inf', 'Infinity')) }))
}

function readExemplars(data: unknown): Exemplar[] {
  return (data as readonly { exemplars: readonly Exemplar[] }[]).flatMap(({ exemplars }) => exemplars)
}

function readRules(data: unknown): Rule[] {
  return (data as { groups: readonly { rules: readonly Rule[] }[] }).groups.flatMap(({ rules }) => rules)
}

/** Three later scrapes: what is counted after an answer is in the last. */
async function awaitScrapes(readTimes: () => Promise<readonly Series[]>): Promise<void> {
  const last = async (): Promise<number> => (await readTimes())[0]?.value ?? 0
  const before = await last()
  await waitUntil(async () => (await last()) > before + (2.5 * SCRAPE_MS) / 1000, 'Prometheus scrapes', 30_000)
}

/** Runs `promtool`. @returns what it says, and whether it is content */
export function runPromtool(flags: readonly string[], input?: string): { readonly isContent: boolean; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', flags, { input: input ?? '', encoding: 'utf8' })
  return { isContent: status === 0, said: `${stdout}${stderr}` }
}
