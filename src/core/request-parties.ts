/** Whom a request to the broker is about, as far as it is known: who signs in, or gets a token, at which client. */
export interface RequestParties {
  /** Whose the subject is. */
  readonly issuer?: string | undefined
  readonly subject?: string | undefined
  /** As the request names it: it may not have authenticated. */
  readonly clientId?: string | undefined
  /** Granted scopes; those that were asked for, where nothing was granted. */
  readonly scopes?: readonly string[] | undefined
  /** Kinds of the events that happened in it. */
  readonly events?: readonly string[] | undefined
}

/** Most kinds of events that are told of one request. */
const MAX_EVENTS = 5

/** What is learned later is more exact. */
export function addParties(before: RequestParties | undefined, more: RequestParties): RequestParties {
  const events = new Set([...(before?.events ?? []), ...(more.events ?? [])])
  return {
    issuer: more.issuer ?? before?.issuer,
    subject: more.subject ?? before?.subject,
    clientId: more.clientId ?? before?.clientId,
    scopes: more.scopes ?? before?.scopes,
    events: events.size === 0 ? undefined : [...events].slice(0, MAX_EVENTS),
  }
}
