/** The public paths whose requests are passed on to an identity provider. No other path of it can be reached through us. */
export const REWRITE_PATHS = { authorization: '/authorize', token: '/token', registration: '/register' } as const
