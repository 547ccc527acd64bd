"""Pure values and decisions: what to do, never doing it.

Nothing here performs I/O or reads a clock; the same arguments always give the same answer. Vocabulary, read
bottom to top: *errors* -> *http* (what goes over a wire) -> *json_text*, *kinds*, *document* (members declared once:
read, and said as JSON Schema) -> *message* (DevEUI, envelope, splice) -> *jsonpath* (its steps, functions and filters,
and how they are read) -> *pattern*, *schedule*, *address_policy* -> *connector*, *network_server*, *flow*,
*configuration* -> *request* -> *delivery* -> *window*, *connection_state*.
"""
