import { type Clock, systemClock } from '../core/clock.ts'
import type { IssuerState } from '../core/issuer-state.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import { createMetadataSource } from './authorization-server-metadata.ts'
import { createTokenFetch } from './fetch-token.ts'
import { createIntrospection, type Introspection } from './introspection.ts'
import { createIssuerKeys, type IssuerKeys } from './keys.ts'
import type { ResolveHost } from './resolve-host.ts'
import { createIssuerFetch } from './safe-fetch.ts'

/** An issuer whose tokens we accept: its keys, and its answers about opaque tokens. */
export interface Issuer {
  readonly plan: IssuerPlan
  readonly keys: IssuerKeys
  readonly introspection: Introspection | undefined
  /** Whether tokens of this issuer can be checked now. With introspection that shows only when one is. */
  isReady(): boolean
  /** Whether it was asked once; with introspection there is nothing to ask for before a token comes. */
  wasTried(): boolean
  /** Starts to fetch keys and metadata in the background. */
  warm(): void
  /** How it does; undefined where nothing is fetched. */
  state(): IssuerState | undefined
  close(): Promise<void>
}

/** The issuers of all servers. Servers with the same issuer share its keys and connections. */
export interface IssuerPool {
  find(plan: IssuerPlan): Issuer
  /** Whether every issuer was asked once. One that is down says so to those who show its tokens. */
  wereTried(): boolean
  /** How each does of which anything is fetched. Servers that ask one issuer differently count together. */
  list(): readonly IssuerState[]
  warm(): void
  /** Takes out the issuers that none of the plans names, and returns them: the caller closes them when nothing asks them any more. */
  release(plans: readonly IssuerPlan[]): readonly Issuer[]
  close(): Promise<void>
}

export interface IssuerPoolOptions {
  readonly clock?: Clock
  /** Called when an issuer's keys cannot be fetched, at most once a minute for each issuer. The text holds no secrets. */
  readonly onIssue?: (message: string) => void
  readonly resolveHost?: ResolveHost
  /** Keys that need no fetching, by issuer: those of our own authorization server. */
  readonly ownKeys?: ReadonlyMap<string, IssuerKeys>
}

/** Creates an empty pool. Nothing is fetched before it is needed. */
export function createIssuerPool(options: IssuerPoolOptions = {}): IssuerPool {
  const issuers = new Map<string, Issuer>()
  const all = () => [...issuers.values()]
  return {
    find(plan) {
      const key = JSON.stringify(plan)
      const issuer = issuers.get(key) ?? createIssuer(plan, options)
      issuers.set(key, issuer)
      return issuer
    },
    list: () => mergeStates(all().flatMap((issuer) => issuer.state() ?? [])),
    wereTried: () => all().every((issuer) => issuer.wasTried()),
    warm() {
      for (const issuer of all()) issuer.warm()
    },
    release(plans) {
      const kept = new Set(plans.map((plan) => JSON.stringify(plan)))
      const released = [...issuers].filter(([key]) => !kept.has(key))
      for (const [key] of released) issuers.delete(key)
      return released.map(([, issuer]) => issuer)
    },
    async close() {
      await Promise.all(all().map((issuer) => issuer.close()))
    },
  }
}

function mergeStates(states: readonly IssuerState[]): IssuerState[] {
  const merged = new Map<string, IssuerState>()
  for (const state of states) {
    const known = merged.get(state.issuer)
    merged.set(state.issuer, known === undefined ? state : mergeTwo(known, state))
  }
  return [...merged.values()]
}

/** Of the ages the higher: it is the one to worry about. */
function mergeTwo(one: IssuerState, other: IssuerState): IssuerState {
  return {
    issuer: one.issuer,
    keyFetches: one.keyFetches + other.keyFetches,
    failedKeyFetches: one.failedKeyFetches + other.failedKeyFetches,
    keysAge: one.keysAge === undefined ? other.keysAge : Math.max(one.keysAge, other.keysAge ?? 0),
    lastFailure: (one.lastFailure?.at ?? 0) > (other.lastFailure?.at ?? 0) ? one.lastFailure : other.lastFailure,
    introspections: one.introspections === undefined ? other.introspections : one.introspections + (other.introspections ?? 0),
  }
}

function createIssuer(plan: IssuerPlan, options: IssuerPoolOptions): Issuer {
  const own = options.ownKeys?.get(plan.issuer)
  return own === undefined ? createForeignIssuer(plan, options) : createOwnIssuer(plan, own)
}

/** Our own authorization server as an issuer. */
export function createOwnIssuer(plan: IssuerPlan, keys: IssuerKeys): Issuer {
  return {
    plan,
    keys,
    introspection: undefined,
    isReady: () => keys.isReady(),
    wasTried: () => keys.wasTried(),
    warm: () => keys.warm(),
    state: () => undefined,
    close: async () => keys.close(),
  }
}

function createForeignIssuer(plan: IssuerPlan, { clock = systemClock, onIssue, resolveHost }: IssuerPoolOptions): Issuer {
  const { fetchJson, close } = createIssuerFetch(plan, resolveHost)
  const fetchDocument = createTokenFetch(fetchJson, plan)
  const metadata = createMetadataSource(plan, fetchDocument, clock)
  const keys = createIssuerKeys({ plan, metadata, fetchJson: fetchDocument, clock, onIssue })
  const asks = plan.introspection
  const introspection = asks && createIntrospection({ plan: asks, issuer: plan.issuer, metadata, fetchJson, clock })
  return {
    plan,
    keys,
    introspection,
    // An issuer of opaque tokens may have no keys at all.
    isReady: () => introspection !== undefined || keys.isReady(),
    wasTried: () => introspection !== undefined || keys.wasTried(),
    warm() {
      if (introspection === undefined) keys.warm()
    },
    state() {
      const { fetches, failedFetches, age, lastFailure } = keys.status()
      const { issuer } = plan
      return {
        issuer,
        keyFetches: fetches,
        failedKeyFetches: failedFetches,
        keysAge: age,
        lastFailure,
        introspections: introspection?.count(),
      }
    },
    async close() {
      keys.close()
      await close()
    },
  }
}
