"""The doors: GraphQL, health and the command line. They translate, they never decide."""
