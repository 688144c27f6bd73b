/** Keycloak writes paths (`/finance`): the leading slash is dropped, nothing else. The same for tokens and for the configuration. */
export function normalizeGroup(name: string): string {
  return name.replace(/^\//, '')
}
