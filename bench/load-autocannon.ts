import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { LoadFiles, LoadResult } from './load.ts'

/** The load where there is no `wrk`, in a process of its own. Arguments: address, seconds, connections, and a {@link LoadFiles}. */

type Cannon = (options: {
  readonly url: string
  readonly duration: number
  readonly connections: number
  readonly requests: readonly { method: string; headers: Record<string, string>; body: string }[]
}) => Promise<{
  readonly requests: { readonly total: number }
  readonly duration: number
  readonly non2xx: number
  readonly errors: number
  readonly timeouts: number
}>

const autocannon = createRequire(import.meta.url)('autocannon') as Cannon
const [url = '', seconds, connections, files] = process.argv.slice(2)
const { headers, tokens, body, start } = JSON.parse(files ?? '') as LoadFiles

const lines = (file: string): string[] => readFileSync(file, 'utf8').trimEnd().split('\n')
const shared = Object.fromEntries(lines(headers).map((line) => line.split('\t')))
const text = readFileSync(body, 'utf8')
const all = lines(tokens)

const result = await autocannon({
  url,
  duration: Number(seconds),
  connections: Number(connections),
  requests: [...all.slice(start), ...all.slice(0, start)].map((token) => ({
    method: 'POST',
    headers: { ...shared, Authorization: `Bearer ${token}` },
    body: text,
  })),
})
const summary: LoadResult = {
  requests: result.requests.total,
  seconds: result.duration,
  failures: result.non2xx + result.errors + result.timeouts,
}
process.stdout.write(`${JSON.stringify(summary)}\n`)
