import type { Configuration } from 'oidc-provider'

/** The cookie that names the sign-in to continue. */
export function nameResumeCookie(issuer: string): string {
  return issuer.startsWith('https:') ? '__Secure-mcp-resume' : 'mcp-resume'
}

/** The cookie of the session of a signed-in browser. */
export function nameSessionCookie(issuer: string): string {
  return issuer.startsWith('https:') ? '__Host-mcp-session' : 'mcp-session'
}

/** `__Host-` and `__Secure-` cookies need https; on http, which is for this machine alone, they have plain names. */
export function planCookies(issuer: string, keys: readonly string[]): Configuration['cookies'] {
  const isSecure = issuer.startsWith('https:')
  const common = { signed: true, httpOnly: true, sameSite: 'lax', secure: isSecure } as const
  return {
    keys: [...keys],
    names: {
      session: nameSessionCookie(issuer),
      interaction: isSecure ? '__Secure-mcp-interaction' : 'mcp-interaction',
      resume: nameResumeCookie(issuer),
    },
    long: common,
    short: common,
  }
}
