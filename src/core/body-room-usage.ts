/** The memory of all long request bodies, now. */
export interface BodyRoomUsage {
  readonly usedBytes: number
  readonly totalBytes: number
  /** Bodies that wait for room. */
  readonly waiting: number
}
