"""What is fitted to Faust and aiokafka, and has to be looked at when one of them changes.

Both are libraries that have no way in for some of what is needed here. So some of their classes are
replaced, some methods wrapped, and some private attributes used: all of it here, each with its
reason beside it. docs/fitted.md lists it, and says what to look at when a version changes.

``to_aiokafka``  clients, mended; and their private attributes, which ``topology`` needs
``to_faust``     the app, its tables, commands, consumer, assignor, router, and web server
"""
