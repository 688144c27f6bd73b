import { createEncryptedCollection, type EncryptedCollection } from '../../core/encrypted-collection.ts'
import type { Encryption } from '../../core/encryption.ts'
import { hashId } from '../../core/hash-id.ts'
import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import type { Store } from '../../core/store.ts'

/** Our client at an authorization server, as it was when tokens were issued to it. */
export interface AccountClient {
  readonly clientId: string
  /** `configured`: the configuration knows how it authenticates. */
  readonly kind: 'configured' | 'document' | 'registered'
  readonly method: 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'
  /** Of a registered client. */
  readonly secret?: string | undefined
}

/** What an authorization server issued for an account of a user. */
export interface AccountTokens {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  /** Milliseconds since the epoch; undefined where it does not say. */
  readonly expiresAt: number | undefined
  /** When it was asked for, in milliseconds since the epoch. */
  readonly issuedAt: number
  /** Undefined where it does not say, which means: those that were asked for (RFC 6749 §5.1). */
  readonly scopes: readonly string[] | undefined
}

/** An account of a user at an MCP server. */
export interface Connection {
  readonly subject: string
  readonly issuer: string
  /** What `resource` is in requests. */
  readonly resource: string
  readonly client: AccountClient
  readonly tokens: AccountTokens
  readonly scopes: readonly string[]
  /** Milliseconds since the epoch. */
  readonly connectedAt: number
  /**
   * What the MCP server thinks of the access token: `refused` has the next call refresh it, `renewed` is one that was fetched for that
   * reason, and ends the connection if it is refused as well.
   */
  readonly standing: 'good' | 'refused' | 'renewed'
}

export type Connections = EncryptedCollection<Connection>

export function openConnections(store: Store, encryption: Encryption): Connections {
  return createEncryptedCollection<Connection>(store, encryption, 'UpstreamAccount', hashId)
}

/** A token is for one user at one URL alone: what is served at another URL under the same name is another MCP server. */
export function nameConnection(subject: string, { server, upstreamUrl }: Pick<OwnAccountPlan, 'server' | 'upstreamUrl'>): string {
  return JSON.stringify([subject, server, upstreamUrl])
}
