import type { Clock } from '../core/clock.ts'
import type { Failure } from '../core/failure.ts'
import type { OpenRequest } from '../core/open-requests.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { Upstream } from '../core/ports.ts'
import type { FailureStatus, IssuerStatus, ProxyStatus, ServerStatus, StoreStatus, UpstreamStatus } from '../core/proxy-status.ts'
import { readVersion } from '../core/version.ts'
import type { IssuerPool } from '../oauth/issuer.ts'
import { digestConfiguration } from './configuration-digest.ts'
import { type Foundation, isProcessReady } from './foundation.ts'

/** What is in force now. */
export interface StatusSources {
  readonly plan: Plan
  /** Milliseconds since the epoch. */
  readonly loadedAt: number
  /** Of the servers that are served. */
  readonly upstreams: ReadonlyMap<string, readonly Upstream[]>
}

/** Gathers how the process does. */
export function collectStatus(foundation: Foundation, { plan, loadedAt, upstreams }: StatusSources): ProxyStatus {
  const { clock, startedAt, configurationFile, shutdown, issuers, openRequests, bodyRoom, recentErrors, audit, denied } =
    foundation
  const { usedBytes, totalBytes, waiting } = bodyRoom.usage()
  const requests = [...openRequests]
  return {
    version: readVersion(),
    node: process.version,
    started_at: formatTime(startedAt.wall),
    uptime_seconds: toSeconds(clock.monotonic() - startedAt.monotonic),
    ready: isProcessReady(foundation),
    state: shutdown.isDraining ? 'draining' : shutdown.isLeaving ? 'leaving' : 'serving',
    configuration: { file: configurationFile, digest: digestConfiguration(plan), loaded_at: formatTime(loadedAt) },
    issuers: describeIssuers(issuers),
    servers: [...upstreams].map(([name, own]) => describeServer(name, own, requests)),
    store: describeStore(foundation, plan.store),
    deny_list: { read: denied.isLoaded(), entries: denied.list().length },
    audit: audit && { writable: !audit.isDown(), lost_records: audit.lost() },
    body_room: { used_bytes: usedBytes, total_bytes: totalBytes, waiting },
    last_errors: recentErrors
      .list()
      .map(({ at, requestId, ...error }) => ({ at: formatTime(at), ...error, request_id: requestId })),
  }
}

function describeIssuers(issuers: IssuerPool): IssuerStatus[] {
  return issuers.list().map(({ issuer, keysAge, lastFailure }) => ({
    issuer,
    keys_age_seconds: keysAge === undefined ? undefined : toSeconds(keysAge),
    last_failure: formatFailure(lastFailure),
  }))
}

function describeServer(name: string, upstreams: readonly Upstream[], requests: readonly OpenRequest[]): ServerStatus {
  const own = requests.filter(({ server }) => server === name)
  const streams = own.filter(({ isStream }) => isStream).length
  return { name, open_streams: streams, open_calls: own.length - streams, upstreams: upstreams.flatMap(describeUpstream) }
}

function describeUpstream({ state, usage, listProcesses }: Upstream): UpstreamStatus[] {
  if (state !== undefined) {
    const { address, circuit, lastFailure } = state()
    return [{ kind: 'http', address, circuit, last_failure: formatFailure(lastFailure) }]
  }
  if (usage === undefined || listProcesses === undefined) return []
  const { sessions, maxProcesses } = usage()
  const { running, lastFailure } = listProcesses()
  const processes = running.map(({ pid, ageMs }) => ({ pid, age_seconds: toSeconds(ageMs) }))
  return [
    { kind: 'stdio', mcp_sessions: sessions, max_processes: maxProcesses, processes, last_failure: formatFailure(lastFailure) },
  ]
}

function describeStore({ store, storeOutages }: Foundation, { kind }: Plan['store']): StoreStatus {
  return { kind, reachable: store.isReady(), last_failure: formatFailure(storeOutages.last) }
}

function formatFailure(failure: Failure | undefined): FailureStatus | undefined {
  return failure && { at: formatTime(failure.at), cause: failure.cause }
}

function formatTime(at: ReturnType<Clock['wall']>): string {
  return new Date(at).toISOString()
}

/** To a tenth. */
function toSeconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10
}
