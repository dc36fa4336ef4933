"""Which exact bytes did the people I trust sign under this image name?"""
