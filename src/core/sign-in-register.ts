/** What the broker keeps of its users, clients and sign-ins, for operators. Holds no token. */
export interface SignInRegister {
  /** Issuer of the tokens that the users get. */
  readonly issuer: string
  list(): Promise<SignIns>
  /** Ends everything that a user was given: grants, refresh tokens, browser sessions, consents, tokens of the identity provider. */
  endUser(subject: string): Promise<EndedUser>
  /** The same, where the identity provider knows already. */
  endSignIn(subject: string): Promise<void>
  /**
   * Subjects of the users whose last sign-in was in this session with the identity provider (claim `sid`).
   *
   * @throws ProxyError `store_unavailable` where none was found, and not all could be read
   */
  findBySession(sid: string): Promise<readonly string[]>
  /** Ends everything that users gave a client. Returns whether there was such a client; undefined where not all could be read. */
  endClient(clientId: string): Promise<boolean | undefined>
  /** Ends one session. Returns it; undefined where there is none of that id. */
  endSession(id: string): Promise<RegisteredSession | undefined>
}

export interface SignIns {
  readonly users: readonly RegisteredUser[]
  readonly clients: readonly RegisteredClient[]
  readonly sessions: readonly RegisteredSession[]
  /** Whether the store holds more than was read. */
  readonly isCut: boolean
}

export interface RegisteredUser {
  readonly subject: string
  readonly name: string | undefined
  readonly email: string | undefined
  readonly groups: readonly string[]
  /** Milliseconds since the epoch. */
  readonly signedInAt: number | undefined
}

export interface RegisteredClient {
  readonly clientId: string
  readonly name: string | undefined
  readonly kind: 'configured' | 'registered' | 'metadata_document'
}

/** `client`: what a user allowed a client. `browser`: a browser that is signed in here. */
export interface RegisteredSession {
  readonly id: string
  readonly kind: 'client' | 'browser'
  readonly subject: string
  readonly clientId: string | undefined
  readonly scopes: readonly string[]
  readonly resources: readonly string[]
  /** Milliseconds since the epoch. */
  readonly startedAt: number | undefined
  readonly expiresAt: number | undefined
}

export interface EndedUser {
  readonly wasKnown: boolean
  /** What became of the tokens at the identity provider's revocation endpoint (RFC 7009). */
  readonly atProvider: 'revoked' | 'no_endpoint' | 'no_token' | 'failed'
}
