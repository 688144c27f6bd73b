import { createSecureContext } from 'node:tls'
import { ConfigError, formatProblemLine } from '../config/problem/problem.ts'
import { describeError } from '../core/describe-cause.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ReloadProblem, ReloadReport } from '../core/reload-report.ts'
import type { Listener } from '../http/listener.ts'
import { digestConfiguration } from './configuration-digest.ts'
import type { Foundation } from './foundation.ts'
import { createGeneration, type Generation } from './generation.ts'
import { listChanges } from './plan-changes.ts'
import { findRestartNeeds } from './restart-needs.ts'
import type { Retirement } from './retirement.ts'
import { listProgramProblems } from './upstreams.ts'

export interface ReloaderOptions {
  readonly foundation: Foundation
  /** The first, which is in force. */
  readonly first: Generation
  readonly listener: Listener
  readonly retirement: Retirement
  /** Reads the configuration anew, with all that it refers to. @throws ConfigError */
  readonly load: () => Plan
}

/** Puts the configuration into force that is there now. */
export interface Reloader {
  /** Never rejects. Of the reloads that are asked for while one runs, all share the next. */
  reload(): Promise<ReloadReport>
  /** @returns what is in force when no reload runs any more */
  settle(): Promise<Generation>
}

export function createReloader(options: ReloaderOptions): Reloader {
  const state = { current: options.first }
  let running: Promise<ReloadReport> | undefined
  let next: Promise<ReloadReport> | undefined
  const start = (): Promise<ReloadReport> => {
    next = undefined
    const reload = reloadOnce(options, state).finally(() => {
      running = next
    })
    running = reload
    return reload
  }
  return {
    reload() {
      if (running === undefined) return start()
      next ??= running.then(start)
      return next
    },
    async settle() {
      while (running !== undefined) await running
      return state.current
    },
  }
}

interface ReloaderState {
  current: Generation
}

async function reloadOnce(options: ReloaderOptions, state: ReloaderState): Promise<ReloadReport> {
  const report = await attempt(options, state)
  tell(options.foundation, report)
  return report
}

async function attempt(options: ReloaderOptions, state: ReloaderState): Promise<ReloadReport> {
  const { foundation, load } = options
  const { plan: before } = state.current
  if (foundation.shutdown.isLeaving) return { outcome: 'shutting_down' }
  try {
    const plan = load()
    const settings = findRestartNeeds(before, plan)
    if (settings.length > 0) return { outcome: 'restart_needed', settings }
    const problems = findProblems(plan)
    if (problems.length > 0) return { outcome: 'invalid', problems }
    const changed = listChanges(before, plan)
    if (changed.length > 0) await replace(options, state, plan)
    return { outcome: 'reloaded', digest: digestConfiguration(plan), changed }
  } catch (error) {
    if (error instanceof ConfigError) return { outcome: 'invalid', problems: error.problems }
    return { outcome: 'failed', reason: describe(error) }
  }
}

/** What the configuration cannot be checked for by itself. */
function findProblems({ servers, listen: { tls } }: Plan): ReloadProblem[] {
  const programs = listProgramProblems(servers).map(({ server, problem }) => ({
    path: `servers[${servers.findIndex(({ name }) => name === server)}].upstream.command`,
    reason: problem,
    fix: 'Correct the command, or install the program.',
  }))
  return [...programs, ...(tls === undefined ? [] : findCertificateProblems(tls))]
}

function findCertificateProblems(tls: NonNullable<Plan['listen']['tls']>): ReloadProblem[] {
  try {
    createSecureContext(tls)
    return []
  } catch (error) {
    const reason = `certificate and key cannot be used: ${describe(error)}`
    return [{ path: 'listen.tls', reason, fix: 'Write a certificate and its own private key, both as PEM.' }]
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? describeError(error) : String(error)
}

/** @throws Error where the new generation cannot be made; then the old one stays */
async function replace({ foundation, listener, retirement }: ReloaderOptions, state: ReloaderState, plan: Plan): Promise<void> {
  const { log, accessKeys, bodyRoom, heldMemory, issuers, openRequests, inForce } = foundation
  const before = state.current
  const after = await createGeneration(plan, foundation, before)
  listener.renew({ tls: plan.listen.tls, ...plan.limits })
  inForce.served = after
  state.current = after
  accessKeys.ring.configure(plan.accessKeys)
  log.logger.level = plan.log.level
  bodyRoom.resize(plan.limits)
  heldMemory.resize(plan.limits.heldBytes)
  issuers.warm()
  retirement.retire(before, after)
  await openRequests.decideAnew()
}

function tell({ log: { logger }, onEvent, inForce, configurationFile }: Foundation, report: ReloadReport): void {
  const digest = inForce.served && digestConfiguration(inForce.served.plan)
  const detail = describeReport(report, configurationFile)
  const facts = { outcome: report.outcome, configuration: digest, ...('changed' in report && { changed: report.changed }) }
  if (report.outcome === 'reloaded') logger.info(facts, 'the configuration was reloaded')
  else logger.warn({ ...facts, detail }, 'the configuration was not reloaded: the one before stays in force')
  onEvent({
    kind: 'reload',
    outcome: report.outcome === 'reloaded' ? 'success' : report.outcome,
    configurationDigest: digest,
    detail,
    ...('changed' in report && { changed: report.changed }),
  })
}

/** Why nothing changed, in one line. */
function describeReport(report: ReloadReport, file: string | undefined): string | undefined {
  switch (report.outcome) {
    case 'invalid':
      return report.problems.map((problem) => formatProblemLine(problem, file)).join(' | ')
    case 'restart_needed':
      return `needs a restart: ${report.settings.join(', ')}`
    case 'failed':
      return report.reason
    default:
      return undefined
  }
}
