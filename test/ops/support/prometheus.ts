import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '../../support/free-port.ts'
import { waitUntil } from '../../support/processes.ts'

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
  /**
   * At the moment of the last scrape that {@link awaitScrapes} has waited for: a busy machine may miss later ones.
   *
   * @throws Error with what Prometheus says about the expression
   */
  query(expression: string): Promise<readonly Series[]>
  findExemplars(expression: string): Promise<readonly Exemplar[]>
  listRules(): Promise<readonly Rule[]>
  /** Waits until it has scraped successfully a few times more. */
  awaitScrapes(): Promise<void>
  close(): Promise<void>
}

const SCRAPE_SECONDS = 1

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
  let scrapedAt = 0
  // A failed scrape has no time of its own.
  const findLastScrape = async (): Promise<number> =>
    readSeries(await ask('query', { query: 'timestamp(mcp_auth_proxy_ready)' }))[0]?.value ?? 0
  return {
    query: async (expression) => readSeries(await ask('query', { query: expression, time: String(scrapedAt) })),
    findExemplars: async (expression) => readExemplars(await ask('query_exemplars', createSpan(expression))),
    listRules: async () => readRules(await ask('rules', {})),
    async awaitScrapes() {
      const before = (await findLastScrape()) || Date.now() / 1000
      // What is counted after an answer is in the last.
      await waitUntil(async () => (await findLastScrape()) > before + 2 * SCRAPE_SECONDS, 'Prometheus scrapes', 60_000)
      scrapedAt = await findLastScrape()
    },
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
    global: { scrape_interval: `${SCRAPE_SECONDS}s`, evaluation_interval: '1s' },
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

/** Runs `promtool`. @returns what it says, and whether it is content */
export function runPromtool(flags: readonly string[], input?: string): { readonly isContent: boolean; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', flags, { input: input ?? '', encoding: 'utf8' })
  return { isContent: status === 0, said: `${stdout}${stderr}` }
}
