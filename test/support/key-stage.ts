import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProxy } from '../../src/app.ts'
import { loadConfigFile } from '../../src/config/load.ts'
import { createAccessKey, digestAccessKey } from '../../src/core/access-key.ts'
import type { SecurityEvent } from '../../src/core/security-event.ts'
import { findFreePort } from './free-port.ts'
import { captureLog } from './log.ts'
import { type Answer, answerJson, startRecordingUpstream } from './recording-upstream.ts'
import { runCommand } from './run-command.ts'
import { startIssuer } from './tokens.ts'

const ADMIN_TOKEN = 'operators-only-'.repeat(3)

export interface KeyStageOptions {
  /** Members of the configuration beside or instead of the usual ones. */
  readonly config?: object | ((issuer: string) => object)
  /** Members of the server `files`. */
  readonly server?: object
  /** The same of the server `web`. */
  readonly web?: object
  /** Whether there is an admin listener, by default. */
  readonly admin?: boolean
  readonly answer?: Answer
}

/** A proxy with two servers, `files` and `web`, an issuer, and the command line. */
export async function startKeyStage(options: KeyStageOptions = {}) {
  const { config = {}, server, web, admin = true, answer = answerJson({ jsonrpc: '2.0', id: 1, result: {} }) } = options
  const folder = mkdtempSync(join(tmpdir(), 'access-keys-'))
  const [upstream, issuer, port, adminPort] = await Promise.all([
    startRecordingUpstream(answer),
    startIssuer(),
    findFreePort(),
    findFreePort(),
  ])
  const origin = `http://localhost:${port}`
  const file = join(folder, 'config.json')
  const auditFile = join(folder, 'audit.jsonl')
  writeFileSync(join(folder, 'token'), ADMIN_TOKEN)
  const write = (more: object): void =>
    writeFileSync(
      file,
      JSON.stringify({
        public_url: origin,
        listen: { port },
        shutdown: { drain_seconds: 1 },
        ...(admin && { admin: { port: adminPort, token: { file: join(folder, 'token') } } }),
        audit: { file: auditFile },
        issuers: [issuer.issuer],
        servers: [
          { name: 'files', path: '/files', upstream: `${upstream.origin}/files`, scopes: ['files:read'], ...server },
          { name: 'web', path: '/web', upstream: `${upstream.origin}/web`, ...web },
        ],
        ...more,
      }),
    )
  write(typeof config === 'function' ? config(issuer.issuer) : config)
  const load = () => loadConfigFile(file, { env: {}, terminal: false }).plan
  const log = captureLog()
  const events: SecurityEvent[] = []
  const run = () => startProxy(load(), { logDestination: log.stream, onEvent: (event) => events.push(event), load })
  let proxy: Awaited<ReturnType<typeof run>> | undefined = await run()
  const stop = async (): Promise<void> => {
    await proxy?.close()
    proxy = undefined
  }
  const call = async (token: string, path = '/files', headers: Record<string, string> = {}, method = 'tools/list') => {
    const response = await fetch(origin + path, {
      method: 'POST',
      headers: { ...(token !== '' && { authorization: `Bearer ${token}` }), 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method }),
    })
    return { status: response.status, challenge: response.headers.get('www-authenticate'), body: await response.text() }
  }
  const ask = (...words: string[]) => runCommand([...words, '--config', file])
  return {
    ...{ folder, file, auditFile, origin, adminPort, upstream, issuer, log, events, write, call, ask, stop },
    status: async (token: string, path?: string) => (await call(token, path)).status,
    reload: async () => proxy?.reload(),
    async start() {
      proxy = await run()
    },
    /** Has a key made, and returns it as it is printed. */
    async create(...words: string[]): Promise<string> {
      const { code, output, error } = await ask('keys', 'create', ...words)
      if (code !== 0) throw new Error(error)
      return output.trim()
    },
    async close() {
      await stop()
      await Promise.all([upstream.close(), issuer.close()])
      rmSync(folder, { recursive: true })
    },
  }
}

/** A key, and its entry for `keys` of the configuration. */
export function createFileKey(terms: object = {}) {
  const key = createAccessKey()
  const entry = {
    ...{ name: 'nightly', digest: `sha256:${digestAccessKey(key)}`, servers: ['files'], scopes: ['files:read'] },
    ...{ expires: '2099-01-01', ...terms },
  }
  return { key, entry }
}
