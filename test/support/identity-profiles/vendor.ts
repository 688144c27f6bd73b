// What is special to a vendor, and what its profile remembers.
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Where a profile runs: the same port by two names, for vendors whose endpoints are on another host than their issuer. */
export interface Places {
  readonly origin: string
  readonly otherOrigin: string
}

export type Claims = Readonly<Record<string, unknown>>

/** An error with which a vendor answers. */
export interface VendorRefusal {
  readonly error: string
  readonly error_description: string
}

/** What the user agreed to, as it is known when tokens are made. */
export interface Grant {
  readonly authorization: URLSearchParams
  readonly scopes: readonly string[]
  readonly issuer: string
}

/** What is special to a vendor, in its own words. */
export interface Vendor {
  readonly issuer: (places: Places) => string
  /** Where its metadata is, and what stands there beside `issuer`, endpoints and keys; undefined for a vendor without. */
  readonly metadataPath?: string
  readonly metadata?: (places: Places) => Claims
  readonly paths: { readonly authorize: string; readonly token: string; readonly userinfo: string; readonly keys: string }
  /** Whether endpoints are on {@link Places.otherOrigin}. */
  readonly endpointsElsewhere?: boolean
  /** Whether the redirect carries `iss` (RFC 9207). */
  readonly sendsIss?: boolean
  readonly authentication: 'client_secret_basic' | 'client_secret_post'
  readonly scopesSupported: readonly string[]
  readonly refuseAuthorization?: (query: URLSearchParams) => VendorRefusal | undefined
  readonly refuseToken?: (form: URLSearchParams, grant: Grant | undefined) => VendorRefusal | undefined
  readonly givesRefreshToken: (grant: Grant) => boolean
  /** Whether a refresh token is good once, and shown again ends the session, as for theft (RFC 9700 §4.14.2). */
  readonly rotatesRefreshTokens?: boolean
  /** Claims of a JWT access token; undefined for an opaque one. */
  readonly accessToken: (grant: Grant) => Claims | undefined
  readonly opaquePrefix?: string
  /** Claims of the ID token beside those of the protocol; undefined for a vendor without. */
  readonly idToken: ((grant: Grant) => Claims) | undefined
  /** Answers that the vendor's user endpoints give, by path; undefined refuses the token. */
  readonly users: (path: string, request: IncomingMessage, grant: Grant | undefined) => unknown
  /** Where clients register themselves (RFC 7591); undefined for a vendor without. */
  readonly registration?: string
  /** Has the last word on the answer of the token endpoint. */
  readonly sendTokens?: (request: IncomingMessage, response: ServerResponse, status: number, answer: Claims) => void
}

export type Interference = (response: ServerResponse, request: IncomingMessage) => void

export const VENDOR_CLIENT = { id: 'the-proxy-at-the-vendor', secret: 'secret-of-the-proxy-at-the-vendor' }

/** The user of every profile, who is signed in at the vendor already. */
export const SUBJECT = '00u1-alice'

export interface Signer {
  readonly sign: (claims: Claims, type?: string) => Promise<string>
  readonly jwk: Claims
}

export interface State {
  readonly vendor: Vendor
  readonly places: Places
  readonly issuer: string
  signer: Signer
  readonly codes: Map<string, Grant>
  readonly refreshTokens: Map<string, Grant>
  readonly usedRefreshTokens: Map<string, Grant>
  readonly access: Map<string, Grant>
  readonly authorizations: URLSearchParams[]
  readonly tokenRequests: URLSearchParams[]
  readonly accessTokens: string[]
  /** Registered clients: their secret, or none, and where users are sent back to. */
  readonly clients: Map<string, { readonly secret: string | undefined; readonly redirectUris: readonly string[] }>
  cancels: boolean
  readonly interfering: Map<string, Interference>
  interferences: number
}

export const NOT_FOUND = Symbol('not found')
export const FORBIDDEN = Symbol('forbidden')

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body))
}
