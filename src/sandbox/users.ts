import { isSameText } from '../core/same-text.ts'

/** A user who can sign in. */
export interface User {
  readonly name: string
  readonly password: string
  readonly displayName: string
  /** Scopes that this user may grant to a client. */
  readonly mayGrant: readonly string[]
  /** Claims for authorized clients: those of OpenID Connect, and `groups`. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** A permission that clients may ask for. */
export interface Scope {
  readonly name: string
  /** What it lets a client do, in words for the user who is asked to grant it. */
  readonly description: string
}

export const SAMPLE_SCOPES: readonly Scope[] = [
  { name: 'mcp:tools', description: 'Use the tools, resources and prompts of the MCP server for you' },
  { name: 'mcp:admin', description: 'Administer the MCP server: see and reset its counters' },
]

/** Scopes with which a client asks for the identity of the user (OpenID Connect). */
export const IDENTITY_SCOPE: Scope = { name: 'openid', description: 'Know who you are: your name, email address and groups' }

/** The passwords are printed by the demo: they protect nothing. */
export const SAMPLE_USERS: readonly [alice: User, bob: User] = [
  {
    name: 'alice',
    password: 'wonderland',
    displayName: 'Alice, an ordinary user',
    mayGrant: ['mcp:tools'],
    claims: { name: 'Alice', email: 'alice@example.com', email_verified: true, groups: ['staff'] },
  },
  {
    name: 'bob',
    password: 'builder',
    displayName: 'Bob, an administrator',
    mayGrant: ['mcp:tools', 'mcp:admin'],
    claims: { name: 'Bob', email: 'bob@example.com', email_verified: true, groups: ['staff', 'admins'] },
  },
]

/** The user with this name and password. */
export function findUser(users: readonly User[], name: string, password: string): User | undefined {
  const user = users.find((candidate) => candidate.name === name.trim().toLowerCase())
  // Compared even when there is no such user, so that the answer's timing doesn't tell names apart.
  const isRight = isSameText(password, user?.password ?? '')
  return isRight ? user : undefined
}
