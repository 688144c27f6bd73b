/** The methods that clients send to servers, of every revision from 2024-11-05 to 2026-07-28. */
export const MCP_METHODS: ReadonlySet<string> = new Set([
  'completion/complete',
  'initialize',
  'logging/setLevel',
  'notifications/cancelled',
  'notifications/initialized',
  'notifications/progress',
  'notifications/roots/list_changed',
  'ping',
  'prompts/get',
  'prompts/list',
  'resources/list',
  'resources/read',
  'resources/subscribe',
  'resources/templates/list',
  'resources/unsubscribe',
  'server/discover',
  'subscriptions/listen',
  'tasks/cancel',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/update',
  'tools/call',
  'tools/list',
])

/** What stands before the slash of the methods: `tools`, `resources`, … */
export const MCP_FAMILIES: ReadonlySet<string> = new Set(
  [...MCP_METHODS].filter((method) => method.includes('/')).map((method) => method.slice(0, method.indexOf('/'))),
)
