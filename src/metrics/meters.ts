import type { BodyRoomUsage } from '../core/body-room-usage.ts'
import type { Clock } from '../core/clock.ts'
import { DENIED_KINDS, type DeniedKind } from '../core/deny-list.ts'
import type { IssuerState } from '../core/issuer-state.ts'
import type { TokenVerifier, Upstream } from '../core/ports.ts'
import type { RequestObserver } from '../core/record.ts'
import type { OnEvent } from '../core/security-event.ts'
import type { Store } from '../core/store.ts'
import type { ProcessChange } from '../core/upstream-usage.ts'
import { createCircuitMeter } from './circuit-meter.ts'
import { createEventMeter } from './event-meter.ts'
import { createGauge, createReadCounter, type Reading } from './gauge.ts'
import type { Metric } from './metric.ts'
import { createProcessMeter } from './process-meter.ts'
import { createRequestMeter } from './request-meter.ts'
import { listResourceMetrics } from './resource-meter.ts'
import { createStdioMeter } from './stdio-meter.ts'
import { createStoreMeter } from './store-meter.ts'
import { type Exposition, formatMetrics } from './text-format.ts'
import { createTokenMeter } from './token-meter.ts'
import { createUpstreamMeter } from './upstream-meter.ts'

/** What is measured elsewhere, and read when metrics are asked for. */
export interface MeterSources {
  /** Whether load balancers are told that this process can serve. */
  readonly isReady: () => boolean
  readonly issuers: () => readonly IssuerState[]
  readonly bodyRoom: () => BodyRoomUsage
  /** Bytes of log lines that could not be written. */
  readonly lostLogBytes: () => number
  /** Records of the audit log that were lost; undefined without one. */
  readonly lostAuditRecords: (() => number) | undefined
  /** What is denied now. */
  readonly denials: () => readonly { readonly kind: DeniedKind }[]
}

/** Everything that is measured. Made only where there is an admin listener to show it. */
export interface Meters {
  readonly observe: RequestObserver
  readonly onEvent: OnEvent
  measureUpstream(upstream: Upstream, server: string): Upstream
  /** @returns counts each start and each end of a process */
  watchProcesses(server: string): (change: ProcessChange) => void
  measureVerifier(verifier: TokenVerifier, server: string): TokenVerifier
  measureStore(store: Store): Store
  format(sources: MeterSources, accept: string | undefined): Exposition
  close(): void
}

/** @param hasBroker - whether users sign in here */
export function createMeters(clock: Clock, hasBroker: boolean): Meters {
  const requests = createRequestMeter()
  const upstreams = createUpstreamMeter(clock)
  const tokens = createTokenMeter()
  const circuits = createCircuitMeter()
  const stdio = createStdioMeter()
  const stores = createStoreMeter(clock)
  const events = createEventMeter(hasBroker)
  const running = createProcessMeter(clock)
  const own = [requests, upstreams, circuits, tokens, stdio, stores, events, running].flatMap(({ metrics }) => metrics)
  const resources = listResourceMetrics(clock)
  return {
    observe: requests.observe,
    onEvent: events.onEvent,
    measureUpstream(upstream, server) {
      stdio.watchUsage(upstream, server)
      circuits.watch(upstream, server)
      return upstreams.measure(upstream, server, () => {
        stdio.forget(upstream)
        circuits.forget(upstream)
      })
    },
    watchProcesses: stdio.watchProcesses,
    measureVerifier: tokens.measure,
    measureStore: stores.measure,
    format: (sources, accept) => formatMetrics([...own, ...resources, ...listSourceMetrics(sources)], accept),
    close: running.stop,
  }
}

function listSourceMetrics({ isReady, issuers, bodyRoom, lostLogBytes, lostAuditRecords, denials }: MeterSources): Metric[] {
  const lost = createReadCounter('mcp_auth_proxy_log_lost_bytes', 'Log lines that could not be written.', [], () => [
    [[], lostLogBytes()],
  ])
  const ready = createGauge('mcp_auth_proxy_ready', 'What /readyz says: 1 or 0.', [], () => [[[], isReady() ? 1 : 0]])
  const rows = [...listIssuerMetrics(issuers()), ...listBodyRoomMetrics(bodyRoom()), ...listAuditMetrics(lostAuditRecords)]
  return [ready, ...rows, lost, countDenials(denials())]
}

function countDenials(denials: ReturnType<MeterSources['denials']>): Metric {
  const counts = DENIED_KINDS.map((kind): Reading => [[kind], denials.filter((one) => one.kind === kind).length])
  return createGauge(
    'mcp_auth_proxy_deny_list_entries',
    'Users, clients, sessions and tokens that are denied.',
    ['kind'],
    () => counts,
  )
}

function listAuditMetrics(lost: MeterSources['lostAuditRecords']): Metric[] {
  if (lost === undefined) return []
  const name = 'mcp_auth_proxy_audit_dropped'
  return [createReadCounter(name, 'Records of the audit log that could not be written.', [], () => [[[], lost()]])]
}

function listIssuerMetrics(issuers: readonly IssuerState[]): Metric[] {
  const fetches = issuers.flatMap(({ issuer, keyFetches, failedKeyFetches }): Reading[] => [
    [[issuer, 'success'], keyFetches - failedKeyFetches],
    [[issuer, 'failure'], failedKeyFetches],
  ])
  const ages = issuers.flatMap(({ issuer, keysAge }): Reading[] => (keysAge === undefined ? [] : [[[issuer], keysAge / 1000]]))
  const asked = issuers.flatMap(({ issuer, introspections }): Reading[] =>
    introspections === undefined ? [] : [[[issuer], introspections]],
  )
  return [
    createReadCounter('mcp_auth_proxy_key_fetches', 'Fetches of the keys of an issuer.', ['issuer', 'outcome'], () => fetches),
    createGauge('mcp_auth_proxy_keys_age_seconds', 'Time since the keys in use were fetched.', ['issuer'], () => ages),
    createReadCounter('mcp_auth_proxy_introspections', 'Questions to an issuer about opaque tokens.', ['issuer'], () => asked),
  ]
}

function listBodyRoomMetrics({ usedBytes, totalBytes, waiting }: BodyRoomUsage): Metric[] {
  const bytes: Reading[] = [
    [['used'], usedBytes],
    [['free'], totalBytes - usedBytes],
  ]
  return [
    createGauge('mcp_auth_proxy_body_room_bytes', 'Memory for long request bodies.', ['state'], () => bytes),
    createGauge('mcp_auth_proxy_body_room_waiting', 'Request bodies that wait for memory.', [], () => [[[], waiting]]),
  ]
}
