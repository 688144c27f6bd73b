/**
 * The answer to a `subscriptions/listen` that is not ended by its client: "it SHOULD respond to the original
 * `subscriptions/listen` request with a completion result before closing the stream" (2026-07-28, patterns/subscriptions, Graceful
 * Closure).
 *
 * @param id - of the request, in JSON
 */
export function formatListenEnd(id: string): string {
  return `{"jsonrpc":"2.0","id":${id},"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":${id}}}}`
}
