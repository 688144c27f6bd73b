import { type RunningProxy, startProxy } from '../../src/app.ts'
import { loadConfigValue } from '../../src/config/load.ts'
import type { ConfigInput } from '../../src/config/schema/schema.ts'
import type { ReloadReport } from '../../src/core/reload-report.ts'
import type { SecurityEvent } from '../../src/core/security-event.ts'
import { createAuditCheck } from './audit-check.ts'
import { findFreePort } from './free-port.ts'
import { type CapturedLog, captureLog } from './log.ts'
import { rememberSecret } from './secrets-in-use.ts'

export interface TestProxy extends RunningProxy {
  /** `http://localhost:<port>`: what clients and metadata know it by. */
  readonly origin: string
  readonly port: number
  readonly log: CapturedLog
  /** What happened: sign-ins, consents, tokens, keys. */
  readonly events: readonly SecurityEvent[]
  /** Reloads with what the file would say now. @param changes - beside what it said at the start; env: what the environment holds now */
  reloadWith(changes: Partial<TestConfig>, env?: Readonly<Record<string, string>>): Promise<ReloadReport>
}

const LOG = { level: 'debug', format: 'json' } as const

/** `listen` and `public_url` are filled in. */
type TestConfig = Omit<ConfigInput, 'public_url'>

/**
 * Starts a proxy on a free port of 127.0.0.1 from a configuration as it would stand in a file, and captures its log.
 *
 * @param config - `listen` and `public_url` are filled in
 * @param env - environment variables for the secrets of the configuration
 * @param wanted - port where one listened before; a free one unless given
 */
export async function startTestProxy(
  config: Omit<ConfigInput, 'listen' | 'public_url'>,
  env: Readonly<Record<string, string>> = {},
  wanted?: number,
): Promise<TestProxy> {
  const port = wanted ?? (await findFreePort())
  const origin = `http://localhost:${port}`
  const log = captureLog()
  const events: SecurityEvent[] = []
  const audit = createAuditCheck()
  let now: { changes: Partial<TestConfig>; env: Readonly<Record<string, string>> } = { changes: {}, env }
  const load = () => {
    for (const secret of Object.values(now.env)) rememberSecret(secret)
    const value = {
      public_url: origin,
      listen: { port },
      log: LOG,
      shutdown: { drain_seconds: 1 },
      ...config,
      audit: config.audit ?? { file: audit.file },
      ...now.changes,
    }
    return loadConfigValue(value, { env: now.env, directory: import.meta.dirname, terminal: false }).plan
  }
  const proxy = await startProxy(load(), { logDestination: log.stream, onEvent: (event) => events.push(event), load })
  let isChecked = config.audit === undefined && config.log === undefined
  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    await proxy.close()
    if (isChecked) audit.check(log, events)
  }
  return {
    ...proxy,
    origin,
    port,
    log,
    events,
    close: () => {
      closed ??= close()
      return closed
    },
    reloadWith(changes, environment = env) {
      now = { changes, env: environment }
      isChecked &&= changes.log === undefined
      return proxy.reload()
    },
  }
}
