// Model files, read once for all components that show them.
export class Models {}
