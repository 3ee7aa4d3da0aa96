export type { HashedFile as DigestedFile } from './hash.js'
