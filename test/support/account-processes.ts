import type { FormerReach } from '../../src/broker/upstream-accounts/account-revocations.ts'
import type { PendingConnection } from '../../src/broker/upstream-accounts/connecting.ts'
import { createReservedUrls } from '../../src/broker/upstream-accounts/reserved-urls.ts'
import {
  createUpstreamAccounts,
  type UpstreamAccount,
  type UpstreamAccounts,
} from '../../src/broker/upstream-accounts/upstream-accounts.ts'
import { createEncryption } from '../../src/core/encryption.ts'
import { DIRECT } from '../../src/core/plan/egress-plan.ts'
import type { OwnAccountPlan } from '../../src/core/plan/own-account-plan.ts'
import type { SecurityEvent } from '../../src/core/security-event.ts'
import type { Store } from '../../src/core/store.ts'
import { createMemoryStore } from '../../src/store/memory-store.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { type AskedOnce, type ScriptedAccount, startScriptedAccount } from './scripted-account.ts'

/** Accounts at a scripted MCP server, as several processes with one store have them, by a clock that stands still. */
export interface AccountProcesses {
  readonly saas: ScriptedAccount
  readonly clock: FakeClock
  readonly store: Store
  readonly events: readonly SecurityEvent[]
  /** Problems that were logged. */
  readonly issues: readonly string[]
  /** One process of several that share the store. */
  start(
    changes?: Partial<OwnAccountPlan>,
    reach?: Partial<FormerReach>,
  ): { readonly account: UpstreamAccount; readonly accounts: UpstreamAccounts }
  /** One whose configuration has no such MCP server any more. */
  startWithout(reach?: Partial<FormerReach>): UpstreamAccounts
  /** Connects an account of a user, as the authorization server answers then. */
  connect(account: UpstreamAccount, tokens: object, subject?: string): Promise<PendingConnection>
  /** Has the token endpoint answer when it is told to. */
  holdTokens(answer: object): { readonly release: () => void; readonly asked: Promise<void> }
  listRefreshes(): readonly AskedOnce[]
  /** Lets time pass until this has come to an end, so many milliseconds in each turn. */
  passTime<T>(work: Promise<T>, step?: number): Promise<T>
  close(): Promise<void>
}

export const numberOf = (token: string | undefined): string | undefined => /number-(\d+)/.exec(token ?? '')?.[1]

/** @param listEndpoints - those of the identity provider, as it tells them then */
export async function openAccountProcesses(
  listEndpoints: () => Promise<readonly string[]> = () => Promise.resolve([]),
): Promise<AccountProcesses> {
  const saas = await startScriptedAccount()
  const clock = createFakeClock()
  const store = createMemoryStore(clock)
  const events: SecurityEvent[] = []
  const issues: string[] = []
  const open: UpstreamAccounts[] = []
  const openAccounts = (plans: readonly OwnAccountPlan[], reach: Partial<FormerReach> = {}): UpstreamAccounts => {
    const accounts = createUpstreamAccounts(plans, {
      origin: 'http://localhost:1',
      store,
      encryption: createEncryption([Buffer.alloc(32, 7)]),
      clock,
      resolveHost: undefined,
      grantSeconds: 3600,
      formerReach: { allowPrivateNetwork: true, ca: undefined, egress: DIRECT, ...reach },
      reserved: createReservedUrls(listEndpoints, clock),
      report: (event) => events.push(event),
      onIssue: (message) => issues.push(message),
    })
    open.push(accounts)
    return accounts
  }
  return {
    saas,
    clock,
    store,
    events,
    issues,
    startWithout: (reach) => openAccounts([], reach),
    start(changes = {}, reach = {}) {
      const accounts = openAccounts([{ ...createAccountPlan(saas.url), ...changes }], reach)
      const account = accounts.find('saas')
      if (account === undefined) throw new Error('no account')
      return { account, accounts }
    },
    async connect(account, tokens, subject = 'alice') {
      saas.script('/token', () => tokens)
      const { pending } = await account.begin([])
      await account.finish(subject, pending, new URLSearchParams({ code: 'a-code', state: pending.state }))
      return pending
    },
    holdTokens(answer) {
      const released = Promise.withResolvers<void>()
      const asked = Promise.withResolvers<void>()
      saas.script('/token', async () => {
        asked.resolve()
        await released.promise
        return answer
      })
      return { release: released.resolve, asked: asked.promise }
    },
    listRefreshes: () => saas.at('/token').filter(({ form }) => form.get('grant_type') === 'refresh_token'),
    passTime: (work, step = 100) => passTime(work, clock, step),
    async close() {
      for (const accounts of open) await accounts.close()
      await saas.close()
    },
  }
}

async function passTime<T>(work: Promise<T>, clock: FakeClock, step: number): Promise<T> {
  let isOver = false
  const end = () => {
    isOver = true
  }
  work.then(end, end)
  while (!isOver) {
    clock.advance(step)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return work
}

export function createAccountPlan(upstreamUrl: string): OwnAccountPlan {
  return {
    server: 'saas',
    upstreamUrl,
    headers: {},
    issuer: undefined,
    reservedOrigins: [],
    client: undefined,
    scopes: [],
    allowPrivateNetwork: false,
    ca: undefined,
    egress: DIRECT,
  }
}
