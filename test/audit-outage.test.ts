import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { waitUntil } from './support/processes.ts'
import { type Stage, startStage } from './support/stage.ts'

let folder: string
let file: string
let stage: Stage
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outage-'))
  file = join(folder, 'audit.jsonl')
})
afterEach(async () => {
  mkdirSync(folder, { recursive: true })
  await stage.close()
  rmSync(folder, { recursive: true, force: true })
})

let lastId = 0

async function call(): Promise<Response> {
  lastId += 1
  return fetch(`${stage.proxy.origin}/mcp`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stage.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: lastId, method: 'tools/call', params: { name: 'echo' } }),
  })
}

const told = (part: string): number => stage.proxy.log.records().filter(({ msg }) => String(msg).includes(part)).length
const recorded = (): string => readFileSync(file, 'utf8')

it('serves nothing new while its folder is gone, with `fail: refuse`, and goes on once it is back', async () => {
  stage = await startStage({ config: { audit: { file, fail: 'refuse' } } })
  expect((await call()).status).toBe(200)
  rmSync(folder, { recursive: true })
  await waitUntil(() => told('The audit log cannot be written') === 1, 'an outage')
  expect(told('new requests are refused (503 `audit_unavailable`)')).toBe(1)
  const refused = await call()
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await refused.json()).toMatchObject({ error: { data: { error: 'audit_unavailable' } } })
  expect((await fetch(`${stage.proxy.origin}/healthz`)).status).toBe(200)
  mkdirSync(folder)
  await waitUntil(() => told('The audit log is written again') === 1, 'the end of the outage')
  expect((await call()).status).toBe(200)
  await waitUntil(() => recorded().includes('"outcome":"success"'), 'a record of the call')
  expect(recorded()).toContain('"outcome":"audit_unavailable"')
  expect([told('cannot be written'), told('Records lost meanwhile: 0')]).toEqual([1, 1])
})

it('serves on, with `fail: drop`, and writes the records of the outage once it can', async () => {
  stage = await startStage({ config: { audit: { file } } })
  rmSync(folder, { recursive: true })
  await waitUntil(() => told('The audit log cannot be written') === 1, 'an outage')
  expect(told('Records wait in memory, and are lost when there are too many.')).toBe(1)
  const responses = await Promise.all([call(), call(), call()])
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200])
  mkdirSync(folder)
  await waitUntil(() => told('The audit log is written again') === 1, 'the end of the outage')
  const lines = recorded().trimEnd().split('\n')
  expect(lines.filter((line) => line.includes('"type":"request"'))).toHaveLength(3)
  expect(told('cannot be written')).toBe(1)
})
