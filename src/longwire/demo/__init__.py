"""A simulated fleet and a request bin, to see and to test the main job without hardware.

Vocabulary, read bottom to top. The sending side: *chance* (repeatable numbers) -> *payloads* (what a sensor
of each kind measures) -> *lrc_request* (the request a ThingPark LRC would make of it) -> *fleet* (the
devices) -> *pace* (when, and with which counter, each device speaks) -> *post_client* (HTTP) -> *fleet_run*
(the run itself). Downlinks: *downlink_desk* (what an LRC takes and refuses, and how it reports what was sent) -> *lrc*
(its door). The receiving side: *received* (a request, and the shelf that keeps the latest) ->
*behaviour* (how the receiver was told to answer) -> *request_parser* (bytes to requests) -> *receiver_page*
(what people and scripts see) -> *receiver* (the server) and *show* (one terminal line for a request).
"""
