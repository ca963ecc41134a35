"""The service: ``domain`` holds the rules, ``journeys`` what is done with them, ``adapters`` the calls to AWS."""
