/** A variable that is set. The value may hold a password. */
export interface EgressVariable {
  readonly name: string
  readonly value: string
}

/** What the environment says about forward proxies. */
export interface EgressEnvironment {
  readonly https: EgressVariable | undefined
  readonly http: EgressVariable | undefined
  readonly noProxy: EgressVariable | undefined
}

export const NO_EGRESS_VARIABLES: EgressEnvironment = { https: undefined, http: undefined, noProxy: undefined }

/**
 * Reads the variables that curl, Go and Node know. In lower case they count first, as with curl and Node; empty ones are not set. A web
 * server that runs CGI programs puts the header `Proxy` of any client into HTTP_PROXY, so that does not count there.
 */
export function readEgressEnvironment(env: Readonly<Record<string, string | undefined>>): EgressEnvironment {
  const find = (names: readonly string[]): EgressVariable | undefined =>
    names.map((name) => ({ name, value: env[name]?.trim() ?? '' })).find(({ value }) => value !== '')
  return {
    https: find(['https_proxy', 'HTTPS_PROXY']),
    http: find(env.REQUEST_METHOD === undefined ? ['http_proxy', 'HTTP_PROXY'] : ['http_proxy']),
    noProxy: find(['no_proxy', 'NO_PROXY']),
  }
}

/** The hosts that a variable lists. */
export function listDirectHosts({ noProxy }: EgressEnvironment): string[] {
  return (noProxy?.value ?? '').split(/[\s,]+/).filter((item) => item !== '')
}
