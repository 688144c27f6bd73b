import { connect, type Socket } from 'node:net'

/** One connection of a load, with one call at a time. */
export interface Lane {
  send(request: Buffer): void
  close(): void
}

/**
 * @param onAnswer - called when the answer to what was sent is complete
 * @param onFailure - called when the connection ends, or the answer is none of 200 with a known length
 */
export function openLane(port: number, onAnswer: (lane: Lane) => void, onFailure: (error: Error) => void): Lane {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const lane: Lane = { send: (request) => socket.write(request), close: () => socket.destroy() }
  let received: Buffer | undefined
  socket.on('data', (piece: Buffer) => {
    received = received === undefined ? piece : Buffer.concat([received, piece])
    const length = findLength(received)
    if (length === undefined || received.length < length) return
    const isGood = received.toString('latin1', 9, 12) === '200' && received.length === length
    received = undefined
    if (isGood) onAnswer(lane)
    else onFailure(new Error('an answer is not what was asked for'))
  })
  socket.on('error', onFailure)
  socket.on('end', () => onFailure(new Error('a connection was ended')))
  return lane
}

/** @returns bytes of the whole answer; undefined until its header section is complete */
function findLength(received: Buffer): number | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const length = /\r\ncontent-length: (\d+)/i.exec(received.toString('latin1', 0, end))?.[1]
  return end + 4 + Number(length ?? Number.NaN)
}
