/* What adapters need when a build's files are there, together like what they need before. */
export { default as colors } from 'picocolors'
export { terminalOf } from './progress.js'
export { publish } from './publish.js'
export { urlInBucket } from './url-in-bucket.js'
