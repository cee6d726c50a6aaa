"""Dispatch: leased messages -> submit_sm -> results, over carrier links.

Read in this order: dispatcher (the pump), lanes and shares (who may take what), carrier (buffer,
pace, links), encode (message -> bodies), link, bind and outbind (the wire), fates and verdict
(answers -> results), settler (results -> store).
"""
