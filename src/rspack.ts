export { type Compiler, type Options, type Rule, StaticS3Plugin } from './webpack.js'
