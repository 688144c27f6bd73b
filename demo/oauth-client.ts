import { randomUUID } from 'node:crypto'
import type {
  OAuthClientMetadata,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from '@modelcontextprotocol/client'
import { signIn } from './browser.ts'

/** A client's memory of who it is and what it may do, as the MCP SDK wants it, kept in this process. */
export interface OAuthClient extends OAuthClientProvider {
  readonly clientMetadata: OAuthClientMetadata
  clientInformation(): StoredOAuthClientInformation | undefined
  tokens(): StoredOAuthTokens | undefined
  /** The authorization request that waits for its user; undefined when none does. */
  waitingFor(): URL | undefined
  /**
   * Lets a user open the waiting authorization request in a (played) browser and sign in.
   *
   * @returns the redirect with the code, its `state` checked
   */
  signInAs(user: { readonly name: string; readonly password: string }, onPage?: (heading: string) => void): Promise<URL>
}

export interface OAuthClientOptions {
  readonly name: string
  /** Where the browser is sent back to. */
  readonly redirectUri: string
  /** Where this client publishes its metadata (its client id then, where the authorization server can read it). */
  readonly clientMetadataUrl?: string
  /** A registration from before. */
  readonly registration?: StoredOAuthClientInformation | undefined
}

export function createOAuthClient({ name, redirectUri, clientMetadataUrl, registration }: OAuthClientOptions): OAuthClient {
  let information = registration
  let tokens: StoredOAuthTokens | undefined
  let discovery: OAuthDiscoveryState | undefined
  let verifier: string | undefined
  let state: string | undefined
  let waiting: URL | undefined

  return {
    redirectUrl: redirectUri,
    ...(clientMetadataUrl !== undefined && { clientMetadataUrl }),
    clientMetadata: {
      client_name: name,
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    state: () => {
      state = randomUUID()
      return state
    },
    clientInformation: () => information,
    saveClientInformation: (saved) => {
      information = saved
    },
    tokens: () => tokens,
    saveTokens: (saved) => {
      tokens = saved
    },
    redirectToAuthorization: (url) => {
      waiting = url
    },
    saveCodeVerifier: (saved) => {
      verifier = saved
    },
    codeVerifier: () => {
      if (verifier === undefined) throw new Error('no authorization was begun')
      return verifier
    },
    invalidateCredentials: (what) => {
      if (what === 'all' || what === 'client') information = undefined
      if (what === 'all' || what === 'tokens') tokens = undefined
      if (what === 'all' || what === 'discovery') discovery = undefined
    },
    // The code must go to the authorization server that the user was sent to, whatever the metadata says by then.
    saveDiscoveryState: (saved) => {
      discovery = saved
    },
    discoveryState: () => discovery,
    waitingFor: () => waiting,
    signInAs: async (user, onPage) => {
      if (waiting === undefined) throw new Error('no authorization request is waiting')
      const redirect = await signIn(waiting, user, onPage)
      waiting = undefined
      if (redirect.searchParams.get('state') !== state)
        throw new Error('the redirect answers another request: its state is not ours')
      const error = redirect.searchParams.get('error')
      if (error !== null) throw new Error(`no access: ${error}, ${redirect.searchParams.get('error_description')}`)
      return redirect
    },
  }
}
