// Compiled files name each other without an ending, which bundlers know and Node does not.
export function resolve(specifier, context, next) {
  return next(specifier.endsWith(".graphql") ? `${specifier}.js` : specifier, context);
}
