import type { Denial, DeniedKind, DenyList } from '../../core/deny-list.ts'
import { ProxyError } from '../../core/errors.ts'
import type { RegisteredSession, SignInRegister, SignIns } from '../../core/sign-in-register.ts'
import type { ActionInput, AdminAction } from '../admin-action.ts'
import { demand, invalidInput, readMembers } from './read-members.ts'

export interface ListActionOptions {
  readonly denied: DenyList
  /** Undefined where users sign in elsewhere: then only what is denied is known. */
  readonly findRegister: () => SignInRegister | undefined
}

const MOST = { usual: 100, possible: 1000 }
const NONE: SignIns = { users: [], clients: [], sessions: [], isCut: false }

/** `users list`: who has signed in, and who is denied. */
export function createUserListAction({ denied, findRegister }: ListActionOptions): AdminAction {
  return async (input) => {
    const register = findRegister()
    const { page } = readPage(input)
    const { users, sessions, isCut } = await readRegister(register)
    const rows = users.map(({ subject, name, email, signedInAt }) => ({
      issuer: register?.issuer,
      subject,
      name,
      email,
      last_sign_in: formatTime(signedInAt),
      clients: new Set(sessions.filter((one) => one.subject === subject).flatMap(({ clientId }) => clientId ?? [])).size,
    }))
    return {
      users: page(rows, ({ subject }) => subject),
      total: rows.length,
      is_cut: isCut,
      signs_in_here: register !== undefined,
      denied: listDenied(denied, 'user'),
    }
  }
}

/** `users show`: all that is kept of one user. */
export function createUserShowAction({ denied, findRegister }: ListActionOptions): AdminAction {
  return async (input) => {
    const register = findRegister()
    const { subject: named } = readMembers(input, { subject: 'text', issuer: 'text' })
    const subject = demand(named, 'subject')
    const { users, sessions } = await readRegister(register)
    const user = users.find((one) => one.subject === subject)
    const refusals = listDenied(denied, 'user').filter(({ value }) => value === subject)
    if (user === undefined && refusals.length === 0)
      throw new ProxyError('admin_target_unknown', { cause: `no user ${JSON.stringify(subject)} has signed in here` })
    const own = sessions.filter((one) => one.subject === subject)
    return {
      issuer: user && register?.issuer,
      subject,
      name: user?.name,
      email: user?.email,
      groups: user?.groups ?? [],
      last_sign_in: formatTime(user?.signedInAt),
      sessions: own.map(describeSession),
      denied: refusals,
    }
  }
}

/** `clients list`: the clients there are, and those that are denied. */
export function createClientListAction({ denied, findRegister }: ListActionOptions): AdminAction {
  return async (input) => {
    const register = findRegister()
    const { page } = readPage(input)
    const { clients, sessions, isCut } = await readRegister(register)
    const rows = clients.map(({ clientId, name, kind }) => ({
      client_id: clientId,
      name,
      kind,
      users: new Set(sessions.filter((one) => one.clientId === clientId).map(({ subject }) => subject)).size,
    }))
    const shown = page(rows, ({ client_id: id }) => id)
    return {
      clients: shown,
      total: rows.length,
      is_cut: isCut,
      signs_in_here: register !== undefined,
      denied: listDenied(denied, 'client'),
    }
  }
}

/** `sessions list`: what users allowed clients, and browsers that are signed in. */
export function createSessionListAction({ denied, findRegister }: ListActionOptions): AdminAction {
  return async (input) => {
    const register = findRegister()
    const { page, subject } = readPage(input)
    const { sessions, isCut } = await readRegister(register)
    const rows = sessions.filter((one) => subject === undefined || one.subject === subject).map(describeSession)
    const refusals = [...listDenied(denied, 'session'), ...listDenied(denied, 'token')]
    return {
      sessions: page(rows, ({ id }) => id),
      total: rows.length,
      is_cut: isCut,
      signs_in_here: register !== undefined,
      denied: refusals,
    }
  }
}

function readRegister(register: SignInRegister | undefined): Promise<SignIns> {
  return register?.list() ?? Promise.resolve(NONE)
}

/** @throws ProxyError `admin_input_invalid` */
function readPage(input: ActionInput) {
  const { most = MOST.usual, after, subject } = readMembers(input, { most: 'count', after: 'text', subject: 'text' })
  if (most > MOST.possible) throw invalidInput(`most is at most ${MOST.possible}`)
  return {
    subject,
    /** The rows behind the last one of the page before. */
    page<Row>(rows: readonly Row[], keyOf: (row: Row) => string): readonly Row[] {
      const sorted = rows.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
      return sorted.filter((row) => after === undefined || keyOf(row) > after).slice(0, most)
    },
  }
}

function describeSession({ id, kind, subject, clientId, scopes, resources, startedAt, expiresAt }: RegisteredSession) {
  const [started, expires] = [formatTime(startedAt), formatTime(expiresAt)]
  return { id, kind, subject, client_id: clientId, scopes, resources, started, expires }
}

function listDenied(denied: DenyList, kind: DeniedKind) {
  return denied
    .list()
    .filter((one) => one.kind === kind)
    .map(describeDenied)
}

function describeDenied({ kind, issuer, value, issuedBefore, expiresAt }: Denial) {
  const refuses = issuedBefore === undefined ? 'all' : 'issued_before'
  return { kind, issuer, value, refuses, until: formatTime(expiresAt) ?? null }
}

function formatTime(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString()
}
