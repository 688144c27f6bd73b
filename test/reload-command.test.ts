// `reload` of the command line against a running proxy.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { startProxy } from '../src/app.ts'
import { loadConfigFile } from '../src/config/load.ts'
import type { SecurityEvent } from '../src/core/security-event.ts'
import { findFreePort } from './support/free-port.ts'
import { captureLog } from './support/log.ts'
import { runCommand } from './support/run-command.ts'

const folder = mkdtempSync(join(tmpdir(), 'reload-command-'))
afterAll(() => rmSync(folder, { recursive: true }))
const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const TOKEN = 'operators-only-'.repeat(3)

async function start() {
  const adminPort = await findFreePort()
  writeFileSync(join(folder, 'token'), TOKEN)
  const write = (name: string, more: object = {}): string => {
    const file = join(folder, name)
    const admin = { port: adminPort, token: { file: join(folder, 'token') } }
    const servers = [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }]
    const config = { public_url: 'http://localhost:8080', listen: { port: 0 }, issuers: ['http://127.0.0.1:1'], servers, admin }
    writeFileSync(file, JSON.stringify({ ...config, ...more }))
    return file
  }
  const file = write(`${adminPort}.json`)
  const load = () => loadConfigFile(file, { env: {}, terminal: false }).plan
  const log = captureLog()
  const events: SecurityEvent[] = []
  const onEvent = (event: SecurityEvent) => void events.push(event)
  const proxy = await startProxy(load(), { logDestination: log.stream, onEvent, load, configurationFile: file })
  open.push(() => proxy.close())
  const findActions = () => log.records().filter(({ action }) => action === '/reload')
  const change = (more: object) => write(`${adminPort}.json`, more)
  const findReloads = () => log.records().filter(({ msg }) => String(msg).startsWith('the configuration was not reloaded'))
  return {
    proxy,
    findReloads,
    file,
    write,
    change,
    events,
    findActions,
    metrics: async () => (await fetch(`${proxy.adminUrl}/metrics`)).text(),
  }
}

describe('reload', () => {
  it('names the file that the proxy has read', async () => {
    const { file } = await start()
    const { code, error } = await runCommand(['reload', file])
    expect([code, error]).toEqual([0, `Reloaded: nothing has changed in ${file}.\n`])
  })

  it('fails for a file that the proxy does not run with, although its admin listener and token are the same', async () => {
    const { file, write, findActions, events } = await start()
    const other = write('other.json', { replicas: 2 })
    const { code, error } = await runCommand(['reload', other])
    expect([code, error]).toEqual([1, expect.stringContaining(`runs with ${file}, not with ${other}; nothing was reloaded.`)])
    expect(findActions()).toMatchObject([{ outcome: 'admin_input_invalid', parameters: { file: other } }])
    expect(events.filter(({ kind }) => kind === 'reload')).toEqual([])
  })

  it('that finds mistakes has each in the line of the log, with its place and fix as `check` says them', async () => {
    const { change, proxy, findReloads } = await start()
    change({ nonsense: 1 })
    expect((await proxy.reload()).outcome).toBe('invalid')
    const place = /^nonsense \(line 1, column \d+\): is not a known key\. Fix: Remove it\./
    expect(findReloads()).toMatchObject([{ outcome: 'invalid', detail: expect.stringMatching(place) }])
  })

  it('that cannot read the file names it in the line of the log', async () => {
    const { file, proxy, findReloads } = await start()
    writeFileSync(file, '{ "a": ')
    expect((await proxy.reload()).outcome).toBe('invalid')
    expect(findReloads()).toMatchObject([{ detail: expect.stringMatching(/^\S+\.json \(line \d+, column \d+\): .+[.!?] Fix: /) }])
  })

  it.each([
    ['needs a restart', { shutdown: { delay_seconds: 1 }, replicas: 3 }, 3, 'restart_needed'],
    ['is put into force', { shutdown: { delay_seconds: 1 } }, 0, 'success'],
  ])('that %s is in the log, the audit and the metrics with what came of it', async (_name, more, exitCode, outcome) => {
    const { file, change, findActions, events, metrics } = await start()
    change(more)
    expect((await runCommand(['reload', file])).code).toBe(exitCode)
    expect(findActions()).toMatchObject([{ outcome }])
    expect(events.filter(({ kind }) => kind === 'admin_action')).toMatchObject([{ action: '/reload', outcome }])
    const counted = outcome === 'success' ? 'success' : 'failure'
    expect(await metrics()).toContain(`mcp_auth_proxy_admin_actions_total{outcome="${counted}"} 1\n`)
  })
})
