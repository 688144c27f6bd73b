/** Reads `notifications/cancelled`. The reason is for humans: "an optional reason string that can be logged or displayed". */
export function readCancellation(params: Readonly<Record<string, unknown>>): { idKey: string; reason: string } {
  const { requestId, reason } = params
  const isId = typeof requestId === 'string' || typeof requestId === 'number'
  return {
    idKey: isId ? JSON.stringify(requestId) : '',
    reason: typeof reason === 'string' ? reason : 'the client has cancelled',
  }
}
